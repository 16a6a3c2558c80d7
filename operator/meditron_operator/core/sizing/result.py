"""The two answers of sizing, in words and numbers that a person can check."""

from dataclasses import dataclass
from enum import StrEnum

from meditron_operator.core.sizing.demand import Dtype
from meditron_operator.core.sizing.memory import BytesPerGpu


class Profile(StrEnum):
    """How much of a card is given out."""

    STANDARD = "standard"
    TIGHT = "tight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One replica that fits, and what to tell TGI and Kubernetes about it."""

    profile: Profile
    gpus_per_replica: int
    bytes_per_gpu: BytesPerGpu
    kv_capacity_tokens: int
    """What TGI should report after warm-up, good to 20 %."""
    safe_tokens: int
    """What we promise of it."""
    sequences_at_full_context: int
    max_batch_prefill_tokens: int
    memory_fraction: float
    """CUDA_MEMORY_FRACTION."""
    wiggle_room: float
    """TGI_WIGGLE_ROOM."""
    dtype: Dtype | None
    """DTYPE; None: leave it unset."""
    host_memory_bytes: int
    """Of the pod, /dev/shm counted."""
    shm_bytes: int
    ephemeral_storage_bytes: int
    cpus: int
    remarks: tuple[str, ...]
    """What to keep in mind, one sentence each; usually nothing."""
    explanation: str
    """One line with the numbers."""


class RefusalReason(StrEnum):
    """Codes for conditions and metrics."""

    CONTEXT_TOO_LONG = "ContextTooLong"
    GPU_UNPROVEN = "GpuUnproven"
    NO_FLASH_ATTENTION = "NoFlashAttention"
    NO_SHARDED_PATH = "NoShardedPath"
    QUANTIZATION_UNSUPPORTED = "QuantizationUnsupported"
    PACKING_UNSUPPORTED = "PackingUnsupported"
    ADAPTERS_UNSUPPORTED = "AdaptersUnsupported"
    DTYPE_NOT_ALLOWED = "DtypeNotAllowed"
    DTYPE_UNSUPPORTED = "DtypeUnsupported"
    KV_CACHE_DTYPE_UNSUPPORTED = "KvCacheDtypeUnsupported"
    ILLEGAL_SHARD_COUNT = "IllegalShardCount"
    WEIGHTS_TOO_LARGE = "WeightsTooLarge"
    KV_CACHE_TOO_SMALL = "KvCacheTooSmall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """The sum that failed. A negative `kv_cache` of the bytes is what is missing."""

    profile: Profile
    bytes_per_gpu: BytesPerGpu
    kv_capacity_tokens: int
    safe_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One thing that stands in the way."""

    reason: RefusalReason
    message: str
    gpus: int | None
    """The GPU count that it speaks of; None where no count would help."""
    shortfall: Shortfall | None = None
    """Where memory is what failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """One change of a refused demand, and what comes of it."""

    change: str
    """An instruction: `use 2 GPUs`."""
    gpus: int
    profile: Profile
    safe_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DoesNotFit:
    """No plan, and why."""

    refusals: tuple[Refusal, ...]
    """Nearest to a fit first."""
    next_steps: tuple[NextStep, ...]
    """Single changes of the demand that do fit."""

    @property
    def message(self) -> str:
        """One line: every refusal, then what to do."""
        why = "; ".join(refusal.message for refusal in self.refusals)
        steps = ", or ".join(step.change for step in self.next_steps)
        return f"{why}. Next: {steps}" if steps else why
