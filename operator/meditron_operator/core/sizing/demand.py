"""What is asked of sizing: one model, one kind of card, a length and a number of sequences."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.catalog.models import ModelShape
from meditron_operator.core.catalog.quantization import FACTS, Quantization, QuantizationFacts

MIN_CONTEXT_TOKENS: Final = 2  # one of prompt and one of answer: TGI wants MAX_INPUT_TOKENS < MAX_TOTAL_TOKENS
BF16_MIN_COMPUTE_CAPABILITY: Final = (8, 0)  # CUDA programming guide: bfloat16 arithmetic from Ampere on


class Dtype(StrEnum):
    """TGI's `--dtype`; both take 2 bytes a number."""

    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class KvCacheDtype(StrEnum):
    """TGI's `--kv-cache-dtype`; `auto` means that the flag is left out, so the cache is 16 bit."""

    AUTO = "auto"
    FP8_E4M3FN = "fp8_e4m3fn"
    FP8_E5M2 = "fp8_e5m2"

    @property
    def bytes_per_number(self) -> int:
        return 2 if self is KvCacheDtype.AUTO else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Everything that a plan depends on."""

    model: ModelShape
    quantization: Quantization
    gpu: Gpu
    gpus: int | None = None
    """GPUs of one replica; None: the smallest legal count that fits, at most what one node has."""
    context_tokens: int
    """Prompt and answer together, per sequence."""
    concurrency: int = 1
    """Sequences of full length that must fit at once."""
    dtype: Dtype | None = None
    """None: bfloat16 where the card can, else float16."""
    kv_cache_dtype: KvCacheDtype = KvCacheDtype.AUTO
    allow_unproven: bool = False

    def __post_init__(self) -> None:
        if self.context_tokens < MIN_CONTEXT_TOKENS:
            raise ValueError(f"context_tokens must be at least {MIN_CONTEXT_TOKENS}, not {self.context_tokens}")
        if self.concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {self.concurrency}")

    @property
    def facts(self) -> QuantizationFacts:
        return FACTS[self.quantization]

    @property
    def weights_name(self) -> str:
        """The model and how its weights are stored, for people."""
        stored = "16-bit" if self.quantization is Quantization.NONE else self.quantization.value
        return f"{self.model.name} {stored}"

    @property
    def wanted_tokens(self) -> int:
        return self.context_tokens * self.concurrency


def runs_bfloat16(gpu: Gpu) -> bool:
    """Whether the card computes in bfloat16; every ROCm card of the catalog does."""
    return gpu.compute_capability is None or gpu.compute_capability >= BF16_MIN_COMPUTE_CAPABILITY


def launch_dtype(demand: Demand) -> Dtype | None:
    """What to pass as DTYPE; None where TGI refuses the flag (its activations are float16 there)."""
    if not demand.facts.dtype_allowed:
        return None
    return demand.dtype or (Dtype.BFLOAT16 if runs_bfloat16(demand.gpu) else Dtype.FLOAT16)
