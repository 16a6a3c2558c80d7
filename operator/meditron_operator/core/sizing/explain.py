"""The sum of one GPU's memory, term by term, with the numbers put in: what `meditron plan --explain` prints.

Each `numbers` is an expression that a person (and a test) can evaluate to the value beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from meditron_operator.core.catalog.quantization import Packing
from meditron_operator.core.sizing.adapters import padded_rank
from meditron_operator.core.sizing.attention import attention_of
from meditron_operator.core.sizing.demand import Demand
from meditron_operator.core.sizing.fit import MEMORY_FRACTION, SAFETY, Fit
from meditron_operator.core.sizing.kernels import Kernel
from meditron_operator.core.sizing.memory import (
    BYTES_PER_NUMBER,
    RUNTIME_BYTES,
    formula_checkpoint_bytes,
    quantized_params,
    weights_of,
)
from meditron_operator.core.sizing.packed import group_shards, keeps_zeros, resident_parts, scratch_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One line of the sum."""

    name: str
    formula: str
    """In the letters of the specification: s shards, V vocabulary, H hidden, I intermediate, L layers, P prefill."""
    numbers: str
    """The same with the numbers; × for times, `ceil` and `floor` for rounding."""
    value: int
    unit: str
    source: str


def terms(demand: Demand, fit: Fit) -> tuple[Term, ...]:
    """Every term, in the order in which they are computed."""
    weights = tuple(_weights(demand, fit))
    total = _bytes(
        "weights",
        "the sum of these",
        " + ".join(f"{term.value:,}" for term in weights),
        fit.bytes_per_gpu.weights,
        "TGI loads them before it measures what is left",
    )
    return (_budget(demand, fit), *weights, total, *_rest(demand, fit), *_tokens(demand, fit))


def _bytes(name: str, formula: str, numbers: str, value: int, source: str) -> Term:
    return Term(name=name, formula=formula, numbers=numbers, value=value, unit="bytes", source=source)


def _decimal(number: Fraction) -> str:
    return f"{float(number):g}"


def _budget(demand: Demand, fit: Fit) -> Term:
    gpu = demand.gpu
    return Term(
        name="budget",
        formula="floor(wiggle × fraction × total)",
        numbers=(
            f"floor({_decimal(fit.settings.wiggle_room)} × {_decimal(MEMORY_FRACTION)} × {gpu.cuda_total_bytes:,})"
        ),
        value=fit.bytes_per_gpu.budget,
        unit="bytes",
        source=f"TGI 3.3.7 flash_causal_lm.py:1507-1684; {gpu.name}: {gpu.source}",
    )


def _weights(demand: Demand, fit: Fit) -> Iterator[Term]:
    model, s, parts = demand.model, fit.gpus, weights_of(demand, fit.gpus)
    if demand.packed is None:
        yield _plain_linears(demand, fit)
    else:
        yield from _packed_linears(demand, demand.packed, fit)
    rows = f"ceil({model.vocab_size:,} / {s})"
    yield _bytes(
        "embedding",
        "2·⌈V/s⌉·H",
        f"2 × {rows} × {model.hidden_size:,}",
        parts.embedding,
        f"{model.name}: {model.source}",
    )
    whole = model.vocab_size % s != 0
    yield _bytes(
        "output head",
        "2·V·H, whole: s does not divide V" if whole else "2·V·H/s",
        f"2 × {model.vocab_size:,} × {model.hidden_size:,}" + ("" if whole else f" / {s}"),
        parts.head,
        "TGI 3.3.7 layers/tensor_parallel.py:57-66",
    )
    yield _bytes(
        "norms",
        "2·((2·L + 1)·H + biases)",
        f"2 × ((2 × {model.num_hidden_layers} + 1) × {model.hidden_size:,} + {model.bias_params:,})",
        parts.norms,
        "on every GPU",
    )
    yield from _from_files(demand, fit)
    yield from _adapters(demand, fit)


def _plain_linears(demand: Demand, fit: Fit) -> Term:
    each = demand.facts.bytes_per_linear_weight
    assert each is not None  # noqa: S101 - the checkpoint is not packed
    reached, params = quantized_params(demand), demand.model.linear_params
    left = params - reached
    numbers = f"{_decimal(each)} × {reached:,}" + (f" + {BYTES_PER_NUMBER} × {left:,}" if left else "")
    return _bytes(
        "linears",
        "bytes a weight × linear weights / s",
        f"ceil(({numbers}) / {fit.gpus})",
        weights_of(demand, fit.gpus).linears,
        demand.facts.source,
    )


def _packed_linears(demand: Demand, packing: Packing, fit: Fit) -> Iterator[Term]:
    model, s = demand.model, fit.gpus
    kernel = demand.kernel or Kernel.TRITON
    parts, layers = resident_parts(model, packing, kernel, s), model.num_hidden_layers
    groups = " + ".join(
        f"{packing.groups(linear.inputs)} × {linear.outputs:,} / {group_shards(linear, packing, s)}"
        for linear in model.linears
    )
    source = f"TGI 3.3.7 layers/gptq, layers/marlin ({kernel} kernel); {packing.name}"
    yield _bytes(
        "packed weights",
        "bits/8 × linear weights / s",
        f"ceil({packing.bits} / 8 × {model.linear_params:,} / {s})",
        parts.weights,
        source,
    )
    yield _bytes("scales", "2·L·Σ groups·outputs / cuts", f"ceil(2 × {layers} × ({groups}))", parts.scales, source)
    if keeps_zeros(packing, kernel):
        numbers = f"ceil({packing.bits} / 8 × {layers} × ({groups}))"
        yield _bytes("zeros", "bits/8·L·Σ groups·outputs / cuts", numbers, parts.zeros, source)
    if parts.order:
        rows = " + ".join(f"{linear.inputs:,} / {s if linear.row_sharded else 1}" for linear in model.linears)
        each = 8 if kernel is Kernel.MARLIN else 4
        numbers = f"ceil({each} × {layers} × ({rows}))"
        yield _bytes("group order", "bytes a row·L·Σ inputs / cuts", numbers, parts.order, source)


def _from_files(demand: Demand, fit: Fit) -> Iterator[Term]:
    if demand.files is None:
        return
    stored = BYTES_PER_NUMBER if demand.packed is not None else demand.model.stored_bytes_per_number
    difference = f"{demand.files.total_bytes:,} - {formula_checkpoint_bytes(demand):,}"
    yield _bytes(
        "in the files, not in the formula",
        "(files − formula)·2 / stored bytes / s",
        f"ceil(({difference}) × 2 / {stored} / {fit.gpus})",
        weights_of(demand, fit.gpus).unexplained,
        "sizes of the real *.safetensors",
    )


def _adapters(demand: Demand, fit: Fit) -> Iterator[Term]:
    if demand.adapters is None:
        return
    widths = sum(linear.tensors * linear.inputs + linear.outputs for linear in demand.model.linears)
    rank = padded_rank(demand.adapters.rank, fit.gpus)
    yield _bytes(
        "LoRA adapters",
        "count·2·L·rank·Σ(inputs + outputs) / s",
        f"ceil({demand.adapters.count} × 2 × {demand.model.num_hidden_layers} × {rank} × {widths:,} / {fit.gpus})",
        weights_of(demand, fit.gpus).adapters,
        f"TGI 3.3.7 adapters/lora.py; rank {demand.adapters.rank} padded to {rank}",
    )


def _rest(demand: Demand, fit: Fit) -> Iterator[Term]:
    model, s, parts = demand.model, fit.gpus, fit.bytes_per_gpu
    heads = f"({model.num_attention_heads} + 2 × {model.num_key_value_heads}) × {model.head_dim} / {s}"
    forward = (
        f"2 × {fit.prefill_tokens:,} × (3 × {model.intermediate_size:,} / {s} + 4 × {model.hidden_size:,} + {heads})"
    )
    scratch = scratch_bytes(model, demand.kernel, s, fit.prefill_tokens)
    yield _bytes(
        "activations",
        "2·P·(3·I/s + 4·H + (nh + 2·nkv)·hd/s)" + (" + scratch" if scratch else ""),
        f"ceil({forward}" + (f" + {ceil(scratch):,})" if scratch else ")"),
        parts.activations,
        "peak of one prefill of P tokens (TGI 3.3.7 warm-up)" + ("; ExLlamaV2 scratch" if scratch else ""),
    )
    yield _bytes("runtime", "constant", f"{RUNTIME_BYTES:,}", parts.runtime, "CUDA context, NCCL, attention workspace")
    yield _bytes(
        "KV cache",
        "budget − weights − activations − runtime",
        f"{parts.budget:,} - {parts.weights:,} - {parts.activations:,} - {parts.runtime:,}",
        parts.kv_cache,
        "what TGI measures at warm-up",
    )


def _tokens(demand: Demand, fit: Fit) -> Iterator[Term]:
    model, attention = demand.model, attention_of(demand.model, demand.gpu)
    each = demand.kv_cache_dtype.bytes_per_number
    yield _bytes(
        "one token",
        "2·L·(nkv/s)·hd·bytes",
        f"2 × {model.num_hidden_layers} × {model.num_key_value_heads} / {fit.gpus} × {model.head_dim} × {each}",
        fit.kv_bytes_per_token,
        f"keys and values of all layers, {demand.kv_cache_dtype}",
    )
    room, block = max(0, fit.bytes_per_gpu.kv_cache), attention.block_tokens
    yield Term(
        name="capacity",
        formula="⌊KV cache / one token⌋ in blocks",
        numbers=f"floor({room:,} / ({fit.kv_bytes_per_token:,} × {block})) × {block}",
        value=fit.capacity_tokens,
        unit="tokens",
        source=f"{attention.name}: blocks of {block} (TGI 3.3.7 models/globals.py:37-46)",
    )
    yield Term(
        name="safe",
        formula="⌊0.8 × capacity⌋",
        numbers=f"floor({_decimal(SAFETY)} × {fit.capacity_tokens:,})",
        value=fit.safe_tokens,
        unit="tokens",
        source="the estimate is good to ±20 %",
    )
    yield Term(
        name="wanted",
        formula="context × concurrency",
        numbers=f"{demand.context_tokens:,} × {demand.concurrency:,}",
        value=demand.wanted_tokens,
        unit="tokens",
        source="what was asked for",
    )
