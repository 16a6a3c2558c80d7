"""LoRA adapters: all are loaded before the warm-up, so their memory is gone before the KV cache is measured.

Source: TGI 3.3.7 adapters/lora.py (A and B are both cut by the shards), utils/sgmv.py (padding of the rank).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from meditron_operator.core.catalog.models import ModelShape

_MIN_RANK_PER_SHARD: Final = 8
_RANK_STEP: Final = 16
_BYTES_PER_NUMBER: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """So many adapters of the same rank on all seven linears of a layer: the largest that a rank can mean."""

    count: int
    rank: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, not {self.count}")
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, not {self.rank}")


def padded_rank(rank: int, shards: int) -> int:
    """The rank that the kernels work with."""
    least = max(rank, _MIN_RANK_PER_SHARD * shards)
    return -(-least // _RANK_STEP) * _RANK_STEP


def adapter_bytes(model: ModelShape, adapters: Adapters | None, shards: int) -> Fraction:
    """Bytes of all adapters on each GPU."""
    if adapters is None:
        return Fraction(0)
    # A matrix of the checkpoint has its own A, so a fused linear counts its inputs once for each.
    widths = sum(linear.tensors * linear.inputs + linear.outputs for linear in model.linears)
    numbers = model.num_hidden_layers * widths * padded_rank(adapters.rank, shards)
    return Fraction(adapters.count * numbers * _BYTES_PER_NUMBER, shards)
