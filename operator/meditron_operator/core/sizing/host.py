"""What one replica's pod needs beside its GPUs."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from meditron_operator.core.catalog.gpus import BYTES_PER_GIB
from meditron_operator.core.sizing.demand import Demand
from meditron_operator.core.sizing.memory import BYTES_PER_NUMBER, checkpoint_bytes

SHM_BYTES_PER_SHARD: Final = BYTES_PER_GIB
"""Shared memory for NCCL where GPUs have no peer access: TGI's README says 1 GiB, ours grows with shards."""

PROCESS_BYTES: Final = 8 * BYTES_PER_GIB
"""Python, CUDA libraries, tokenizer workers and the router."""

LARGEST_16BIT_FILE_BYTES: Final = 10 * 10**9
"""transformers' `save_pretrained` cut files at 10 GB when these checkpoints were published."""

EPHEMERAL_STORAGE_BYTES: Final = 8 * BYTES_PER_GIB
"""Sum of the size limits of the pod's writable directories: temporary files, TGI's `out`, kernel caches."""

# A file is mapped and copied tensor by tensor: a fifth more than its size
_LOAD_FACTOR: Final = Fraction(12, 10)
_CPUS_BASE: Final = 4  # router, tokenizer workers and the launcher
_CPUS_PER_SHARD: Final = 2  # a shard's Python thread keeps one busy, its loader another


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNeeds:
    """Requests and limits of one pod."""

    memory_bytes: int
    """Counts /dev/shm too: a memory volume is charged to the container that writes it."""
    shm_bytes: int
    ephemeral_storage_bytes: int
    cpus: int


def host_needs(demand: Demand, shards: int) -> HostNeeds:
    """The pod's needs for all shards of one replica."""
    shm = SHM_BYTES_PER_SHARD * shards
    return HostNeeds(
        memory_bytes=_load_bytes(demand) + shm,
        shm_bytes=shm,
        ephemeral_storage_bytes=EPHEMERAL_STORAGE_BYTES,
        cpus=_CPUS_BASE + _CPUS_PER_SHARD * shards,
    )


def _load_bytes(demand: Demand) -> int:
    """Peak host memory while weights load; quantizing on the fly may hold the whole model in 16 bit."""
    plain = ceil(_largest_file_bytes(demand) * _LOAD_FACTOR) + PROCESS_BYTES
    if demand.facts.on_the_fly:
        return max(demand.model.params * BYTES_PER_NUMBER, plain)
    return plain


def _largest_file_bytes(demand: Demand) -> int:
    """Quantized checkpoints are published as one file; 16-bit ones in files of at most 10 GB."""
    if demand.files is not None:
        return demand.files.largest_bytes
    whole = checkpoint_bytes(demand)
    return whole if demand.packed is not None else min(whole, LARGEST_16BIT_FILE_BYTES)
