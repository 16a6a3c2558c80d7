"""What cannot run on a card however much memory it has."""

from collections.abc import Callable
from typing import Final

from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.catalog.quantization import FLASH_MIN_COMPUTE_CAPABILITY
from meditron_operator.core.sizing.attention import attention_of
from meditron_operator.core.sizing.demand import Demand, Dtype, KvCacheDtype, runs_bfloat16
from meditron_operator.core.sizing.result import Refusal, RefusalReason

SHARDED_MIN_COMPUTE_CAPABILITY: Final = (8, 0)
"""T4 (7.5) runs flash attention 1, on one GPU only; V100 (7.0) not even that."""


def unsupported(demand: Demand) -> tuple[Refusal, ...]:
    """Everything that rules this demand out at any GPU count."""
    found = ((reason, check(demand)) for reason, check in _CHECKS)
    return tuple(
        Refusal(reason=reason, message=message, gpus=demand.gpus) for reason, message in found if message is not None
    )


def can_shard(gpu: Gpu) -> bool:
    """Whether TGI can spread a model over several of these cards."""
    if gpu.sliced:
        return False
    return gpu.compute_capability is None or gpu.compute_capability >= SHARDED_MIN_COMPUTE_CAPABILITY


def why_not_sharded(gpu: Gpu) -> str:
    """Of a card that `can_shard` denies."""
    if gpu.sliced:
        return f"{gpu.name} is a slice of a card, which TGI can't join with others"
    return f"{capability(gpu)} has no sharded path in TGI"


def capability(gpu: Gpu) -> str:
    """The card and its compute capability, for a message."""
    if gpu.compute_capability is None:
        return f"{gpu.name} (ROCm)"
    return f"{gpu.name} (compute capability {_version(gpu.compute_capability)})"


def _version(compute_capability: tuple[int, int]) -> str:
    return ".".join(map(str, compute_capability))


def _unproven(demand: Demand) -> str | None:
    if not demand.gpu.unproven or demand.allow_unproven:
        return None
    return f"TGI is not proven on {capability(demand.gpu)}: set gpu.allowUnproven to try"


def _no_flash_attention(demand: Demand) -> str | None:
    held = demand.gpu.compute_capability
    if held is None or held >= FLASH_MIN_COMPUTE_CAPABILITY:
        return None
    return (
        f"compute capability {_version(held)} of {demand.gpu.name} has no sharded path in TGI, "
        "and unsharded only a padded fallback of unknown capacity: "
        f"use a card of {_version(SHARDED_MIN_COMPUTE_CAPABILITY)} or later"
    )


def _quantization(demand: Demand) -> str | None:
    facts, held = demand.facts, demand.gpu.compute_capability
    if _no_flash_attention(demand) is not None:
        return None  # said already
    if held is None:
        runs, needs = facts.runs_on_rocm, "CUDA"
    else:
        runs = held >= facts.min_compute_capability
        needs = f"compute capability {_version(facts.min_compute_capability)}"
    return None if runs else f"{demand.quantization} needs {needs}, not {capability(demand.gpu)}"


def _packing(demand: Demand) -> str | None:
    if demand.packed is None or demand.kernel is not None or _quantization(demand) is not None:
        return None
    return f"TGI has no kernel for {demand.quantization} of {demand.packed.name} on {demand.gpu.name}"


def _adapters(demand: Demand) -> str | None:
    if demand.adapters is None or demand.facts.adapters_allowed:
        return None
    return f"TGI can't put LoRA adapters on {demand.quantization} weights: use none, eetq or bitsandbytes"


def _dtype_allowed(demand: Demand) -> str | None:
    if demand.dtype is None or demand.facts.dtype_allowed:
        return None
    return f"TGI does not start with a dtype together with {demand.quantization}: leave dtype unset"


def _dtype(demand: Demand) -> str | None:
    if demand.dtype is not Dtype.BFLOAT16 or runs_bfloat16(demand.gpu):
        return None
    return f"{capability(demand.gpu)} has no bfloat16: use float16"


def _kv_cache_dtype(demand: Demand) -> str | None:
    asked = demand.kv_cache_dtype
    if asked is KvCacheDtype.AUTO:
        return None
    attention = attention_of(demand.model, demand.gpu)
    only_e4m3fn = demand.gpu.runs_rocm and asked is KvCacheDtype.FP8_E5M2
    if attention.fp8_kv_cache and not only_e4m3fn:
        return None
    return f"{attention.name} attention on {capability(demand.gpu)} has no {asked} KV cache"


def _context(demand: Demand) -> str | None:
    longest = demand.model.max_position_embeddings
    if demand.context_tokens <= longest:
        return None
    return f"{demand.model.name} has {longest:,} positions: no context of {demand.context_tokens:,} tokens"


_CHECKS: Final[tuple[tuple[RefusalReason, Callable[[Demand], str | None]], ...]] = (
    (RefusalReason.GPU_UNPROVEN, _unproven),
    (RefusalReason.NO_FLASH_ATTENTION, _no_flash_attention),
    (RefusalReason.QUANTIZATION_UNSUPPORTED, _quantization),
    (RefusalReason.PACKING_UNSUPPORTED, _packing),
    (RefusalReason.ADAPTERS_UNSUPPORTED, _adapters),
    (RefusalReason.DTYPE_NOT_ALLOWED, _dtype_allowed),
    (RefusalReason.DTYPE_UNSUPPORTED, _dtype),
    (RefusalReason.KV_CACHE_DTYPE_UNSUPPORTED, _kv_cache_dtype),
    (RefusalReason.CONTEXT_TOO_LONG, _context),
)
