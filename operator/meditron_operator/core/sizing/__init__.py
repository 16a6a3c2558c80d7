"""From model, quantization, card, context and concurrency to GPUs per replica, with every byte shown.

Pure and in whole numbers: the same demand gives the same answer everywhere, with no cluster and no GPU.
"""

from .demand import Demand, Dtype, KvCacheDtype
from .memory import BytesPerGpu, checkpoint_bytes, weight_bytes
from .planner import plan
from .result import DoesNotFit, Plan, Profile, Refusal, RefusalReason
from .shards import legal_shard_counts

__all__ = [
    "BytesPerGpu",
    "Demand",
    "DoesNotFit",
    "Dtype",
    "KvCacheDtype",
    "Plan",
    "Profile",
    "Refusal",
    "RefusalReason",
    "checkpoint_bytes",
    "legal_shard_counts",
    "plan",
    "weight_bytes",
]
