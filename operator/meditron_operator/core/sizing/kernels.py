"""Which matrix kernel TGI takes for a packed checkpoint, which decides what stays in memory and how it can be cut.

Source: TGI 3.3.7 utils/quantization.py (get_loader), layers/marlin/gptq.py (can_use_gptq_marlin),
layers/gptq/__init__.py.
"""

from enum import StrEnum
from typing import Final

from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.catalog.quantization import MARLIN_MIN_COMPUTE_CAPABILITY, Packing, Quantization

MARLIN_BITS: Final = frozenset({4, 8})
MARLIN_GROUP_SIZES: Final = frozenset({None, 32, 64, 128})
TRITON_BITS: Final = frozenset({2, 4, 8})
_EXLLAMA_BITS: Final = 4


class Kernel(StrEnum):
    """In the order in which TGI tries them."""

    MARLIN = "Marlin"
    EXLLAMA = "ExLlamaV2"
    TRITON = "Triton"


def kernel_of(quantization: Quantization, packing: Packing, gpu: Gpu) -> Kernel | None:
    """The kernel, or None where TGI has none for this packing on this card."""
    if _marlin_runs(quantization, packing, gpu):
        return Kernel.MARLIN
    if quantization is Quantization.AWQ:
        return None  # only llm-awq's own kernel would be left, which no published run of TGI 3.3 uses
    if packing.bits == _EXLLAMA_BITS and not packing.act_order and _exllama_runs(gpu):
        return Kernel.EXLLAMA
    return Kernel.TRITON if packing.bits in TRITON_BITS else None


def _marlin_runs(quantization: Quantization, packing: Packing, gpu: Gpu) -> bool:
    return (
        gpu.compute_capability is not None
        and gpu.compute_capability >= MARLIN_MIN_COMPUTE_CAPABILITY
        and packing.bits in MARLIN_BITS
        and packing.group_size in MARLIN_GROUP_SIZES
        and (packing.symmetric or quantization is Quantization.AWQ)
    )


def _exllama_runs(gpu: Gpu) -> bool:
    return gpu.compute_capability is None or gpu.compute_capability >= MARLIN_MIN_COMPUTE_CAPABILITY
