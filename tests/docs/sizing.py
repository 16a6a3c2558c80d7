"""The tables of docs/sizing.md: what sizing answers, beside what was published by others."""

from dataclasses import dataclass, replace
from fractions import Fraction

from meditron_operator.core.catalog.gpus import BYTES_PER_GIB, GPUS
from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.catalog.quantization import FACTS, Packing, Quantization
from meditron_operator.core.sizing import Demand, DoesNotFit, checkpoint_bytes, plan, weight_bytes
from meditron_operator.core.sizing.fit import STANDARD, TIGHT, Settings, measure
from tests.docs.blocks import Block, table


@dataclass(frozen=True, slots=True)
class Row:
    """One acceptance row."""

    letter: str
    model: str
    quantization: str
    gpus: int
    card: str
    settings: Settings = STANDARD
    """The profile that the row speaks of."""


ROWS = (
    Row("a", "meditron-70b", "none", 4, "A100-40GB"),
    Row("b", "meditron-70b", "none", 2, "H100-80GB"),
    Row("c", "meditron-70b", "none", 1, "H200-141GB"),
    Row("d", "meditron-70b", "bitsandbytes", 2, "A100-40GB"),
    Row("e", "meditron-70b", "eetq", 1, "A100-80GB"),
    Row("f", "meditron-70b", "gptq", 1, "A100-40GB"),
    Row("g", "meditron-70b", "gptq", 1, "A100-40GB", TIGHT),
    Row("h", "meditron-70b", "gptq", 2, "RTX-4090"),
    Row("i", "meditron-70b", "gptq", 1, "L40S"),
    Row("j", "meditron-70b", "none", 3, "A100-80GB"),
    Row("k", "meditron-7b", "gptq", 4, "L4"),
    Row("l", "meditron-7b", "none", 1, "L4"),
    Row("m", "meditron-70b", "none", 4, "V100-32GB"),
)


def _demand(model: str, quantization: str, gpus: int, card: str) -> Demand:
    shape = MODELS[model]
    return Demand(
        model=shape,
        quantization=Quantization(quantization),
        gpu=GPUS[card],
        gpus=gpus,
        context_tokens=min(4_096, shape.max_position_embeddings),
    )


def acceptance() -> str:
    """Rows a to m."""
    heads = ("", "model · quantization", "GPUs", "weights GiB/GPU", "tokens", "safe", "full requests", "profile")
    return table(heads, [_acceptance(row) for row in ROWS])


def _acceptance(row: Row) -> list[str]:
    demand = _demand(row.model, row.quantization, row.gpus, row.card)
    head = [row.letter, f"{row.model} {row.quantization}", f"{row.gpus} × {row.card}"]
    answer = plan(demand)
    if isinstance(answer, DoesNotFit) and answer.refusals[0].shortfall is None:
        return [*head, *["–"] * 4, answer.refusals[0].message.removeprefix(f"{demand.weights_name} ")]
    fit = measure(demand, row.gpus, row.settings)
    weights = f"{fit.bytes_per_gpu.weights / BYTES_PER_GIB:.2f}"
    if not fit.fits:
        missing = -fit.bytes_per_gpu.kv_cache / BYTES_PER_GIB
        return [*head, weights, *["–"] * 3, f"{row.settings.profile}: does not fit (−{missing:.1f} GiB)"]
    tokens = [f"{fit.capacity_tokens:,}", f"{fit.safe_tokens:,}", str(fit.safe_tokens // demand.context_tokens)]
    return [*head, weights, *tokens, str(row.settings.profile)]


@dataclass(frozen=True, slots=True)
class Published:
    """What somebody else's TGI measured at its warm-up."""

    model: str
    gpus: int
    card: str
    tokens: int
    about: bool
    engine: str
    """Its release, and MAX_BATCH_PREFILL_TOKENS where that was published."""
    source: str


PUBLISHED = (
    Published("meditron3-70b", 2, "A100-80GB", 30_816, False, "TGI 2.4, 10,049", "TGI issue 2744 (2024-11-13)"),
    Published("meditron3-8b", 1, "L4", 30_000, True, "TGI 3.0", "TGI docs/conceptual/chunking.md"),
    Published("meditron3-8b", 1, "A10G", 19_056, False, "TGI 2.2.0, 4,145", "a public start-up log of 2024-09-03"),
)


def published() -> str:
    """Llama 3.1 has the shapes of Meditron 3."""
    heads = ("16-bit model", "GPUs", "engine, its prefill", "measured", "our plan says", "difference", "source")
    return table(heads, [_published(row) for row in PUBLISHED])


def _published(row: Published) -> list[str]:
    demand = _demand(row.model, "none", row.gpus, row.card)
    predicted = measure(demand, row.gpus, STANDARD).capacity_tokens
    return [
        row.model.replace("meditron3-", "Llama-3.1-").upper().replace("LLAMA", "Llama"),
        f"{row.gpus} × {row.card}",
        row.engine,
        f"{'about ' if row.about else ''}{row.tokens:,}",
        f"{predicted:,}",
        f"{float(Fraction(predicted, row.tokens) - 1):+.0%}",
        row.source,
    ]


def _branch(group_size: int | None) -> Packing:
    return Packing(bits=4, group_size=group_size, act_order=True, symmetric=True)


CHECKPOINTS: tuple[tuple[str, str, Packing | None, str], ...] = (
    ("TheBloke/meditron-70B-AWQ", "awq", None, "36.61"),
    ("TheBloke/meditron-70B-GPTQ, groups of 128", "gptq", _branch(128), "36.64"),
    ("TheBloke/meditron-70B-GPTQ, groups of 32", "gptq", _branch(32), "40.65"),
    ("TheBloke/meditron-70B-GPTQ, one group a column", "gptq", _branch(None), "35.3"),
)


def checkpoints() -> str:
    """Sizes that the Hub lists."""
    rows = []
    for name, quantization, packing, listed in CHECKPOINTS:
        demand = replace(_demand("meditron-70b", quantization, 1, "A100-80GB"), packing=packing)
        rows.append([name, listed, f"{checkpoint_bytes(demand):,}"])
    return table(("repository", "listed, GB", "our sum, bytes"), rows)


def shapes() -> str:
    """What each shape weighs, by quantization."""
    heads = ("model", "parameters", *(str(quantization) for quantization in FACTS))
    rows = []
    for name in ("llama-2-7b", "llama-2-70b", "meditron3-8b", "meditron3-70b"):
        sizes = [weight_bytes(_demand(name, quantization, 1, "A100-80GB")) for quantization in FACTS]
        rows.append([name, f"{MODELS[name].params:,}", *(f"{size / BYTES_PER_GIB:.2f}" for size in sizes)])
    return table(heads, rows)


BLOCKS: dict[str, Block] = {
    "acceptance-rows": acceptance,
    "published-measurements": published,
    "published-checkpoints": checkpoints,
    "weights-by-shape": shapes,
}
