"""From model, quantization, card, context and concurrency to GPUs per replica, with every byte shown.

Pure and in whole numbers: the same demand gives the same answer everywhere, with no cluster and no GPU.
"""

from meditron_operator.core.sizing.adapters import Adapters
from meditron_operator.core.sizing.demand import Demand, Dtype, KvCacheDtype, WeightFiles
from meditron_operator.core.sizing.memory import BytesPerGpu, checkpoint_bytes, weight_bytes
from meditron_operator.core.sizing.planner import plan
from meditron_operator.core.sizing.result import DoesNotFit, NextStep, Plan, Profile, Refusal, RefusalReason
from meditron_operator.core.sizing.shards import legal_shard_counts

__all__ = [
    "Adapters",
    "BytesPerGpu",
    "Demand",
    "DoesNotFit",
    "Dtype",
    "KvCacheDtype",
    "NextStep",
    "Plan",
    "Profile",
    "Refusal",
    "RefusalReason",
    "WeightFiles",
    "checkpoint_bytes",
    "legal_shard_counts",
    "plan",
    "weight_bytes",
]
