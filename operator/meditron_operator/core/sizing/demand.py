"""What is asked of sizing: one model, one kind of card, a length and a number of sequences."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.catalog.models import ModelShape
from meditron_operator.core.catalog.quantization import FACTS, Packing, Quantization, QuantizationFacts
from meditron_operator.core.sizing.adapters import Adapters
from meditron_operator.core.sizing.kernels import Kernel, kernel_of

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
class WeightFiles:
    """Sizes of the real `*.safetensors` of a checkpoint, in bytes."""

    total_bytes: int
    largest_bytes: int


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Everything that a plan depends on."""

    model: ModelShape
    quantization: Quantization
    packing: Packing | None = None
    """Of a gptq or awq checkpoint; None: as the published Meditron ones."""
    files: WeightFiles | None = None
    """Where they are known they beat the formula."""
    adapters: Adapters | None = None
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
        if self.packing is not None and not self.facts.pre_quantized:
            raise ValueError(f"a packing is for gptq and awq only, not for {self.quantization}")

    @property
    def facts(self) -> QuantizationFacts:
        return FACTS[self.quantization]

    @property
    def packed(self) -> Packing | None:
        """The packing of the checkpoint; None: it holds 16-bit weights."""
        return self.packing or self.facts.packing

    @cached_property
    def kernel(self) -> Kernel | None:
        """What computes with the packed weights; None: nothing is packed, or nothing can."""
        return None if self.packed is None else kernel_of(self.quantization, self.packed, self.gpu)

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
