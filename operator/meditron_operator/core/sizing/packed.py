"""Bytes of the linears of a gptq or awq checkpoint: packed weights, scales, zeros, group indices.

Source: TGI 3.3.7 layers/marlin/gptq.py, layers/gptq/__init__.py (get_weights_row: with act-order or one group a
column the scales and zeros of a row shard are whole), layers/gptq/exllamav2.py (scratch).
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from meditron_operator.core.catalog.models import Linear, ModelShape
from meditron_operator.core.catalog.quantization import Packing, Quantization
from meditron_operator.core.sizing.kernels import Kernel

_SCALE_BYTES: Final = 2  # float16
_INDEX_BYTES: Final = 4  # g_idx of a gptq checkpoint: one int32 per input row
_MARLIN_ORDER_BYTES: Final = 8  # g_idx sorted, and the permutation that sorts it: two int32
_BITS_PER_BYTE: Final = 8

_EXLLAMA_ALIGNMENT_BYTES: Final = 256  # 128 after each of the two buffers


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedParts:
    """Bytes of the linears on each GPU, by what they are, each rounded up."""

    weights: int
    scales: int
    zeros: int
    order: int
    """Indices of the groups."""

    @property
    def total(self) -> int:
        return self.weights + self.scales + self.zeros + self.order


def resident_parts(model: ModelShape, packing: Packing, kernel: Kernel, shards: int) -> PackedParts:
    """All linears of all layers on each GPU."""

    def all_layers(size_of: Callable[[Linear], Fraction]) -> Fraction:
        return model.num_hidden_layers * sum(map(size_of, model.linears), Fraction(0))

    def per_group(size_of: Callable[[Linear, Packing], Fraction]) -> Fraction:
        return all_layers(lambda linear: size_of(linear, packing) / group_shards(linear, packing, shards))

    return PackedParts(
        weights=ceil(all_layers(lambda linear: _weights(linear, packing)) / shards),
        scales=ceil(per_group(_scales)),
        zeros=ceil(per_group(_zeros)) if keeps_zeros(packing, kernel) else 0,
        order=ceil(all_layers(lambda linear: _order(linear, packing, kernel, shards))),
    )


def keeps_zeros(packing: Packing, kernel: Kernel) -> bool:
    """Marlin knows the one zero of a symmetric packing by itself."""
    return kernel is not Kernel.MARLIN or not packing.symmetric


def group_shards(linear: Linear, packing: Packing, shards: int) -> int:
    """Into how many parts scales and zeros are cut: with act-order or one group a column a row shard needs all."""
    whole = linear.row_sharded and (packing.act_order or packing.group_size is None)
    return 1 if whole else shards


def checkpoint_linear_bytes(model: ModelShape, packing: Packing, quantization: Quantization) -> Fraction:
    """Bytes of all linears of all layers on disk; gptq adds an index to each matrix, awq none."""
    per_layer = sum((_weights(linear, packing) + _scales(linear, packing) for linear in model.linears), Fraction(0))
    per_layer += sum((_zeros(linear, packing) for linear in model.linears), Fraction(0))
    if quantization is Quantization.GPTQ:
        per_layer += sum(linear.tensors * linear.inputs * _INDEX_BYTES for linear in model.linears)
    return model.num_hidden_layers * per_layer


def scratch_bytes(model: ModelShape, kernel: Kernel | None, shards: int, prefill_tokens: int) -> Fraction:
    """What ExLlamaV2 sets aside for the largest linear: its unpacked weights, and one prefill in 32 bit."""
    if kernel is not Kernel.EXLLAMA:
        return Fraction(0)
    return max(_exllama_scratch(linear, shards, prefill_tokens) for linear in model.linears)


def _exllama_scratch(linear: Linear, shards: int, prefill_tokens: int) -> Fraction:
    outputs = linear.outputs if linear.row_sharded else Fraction(linear.outputs, shards)
    unpacked = Fraction(2 * linear.params, shards)
    return unpacked + 4 * outputs * prefill_tokens + _EXLLAMA_ALIGNMENT_BYTES


def _order(linear: Linear, packing: Packing, kernel: Kernel, shards: int) -> Fraction:
    """Marlin keeps the order of the groups only where it differs from the order of the weights."""
    rows = Fraction(linear.inputs, shards if linear.row_sharded else 1)
    if kernel is not Kernel.MARLIN:
        return rows * _INDEX_BYTES
    return rows * _MARLIN_ORDER_BYTES if packing.act_order and packing.group_size is not None else Fraction(0)


def _weights(linear: Linear, packing: Packing) -> Fraction:
    return Fraction(linear.params * packing.bits, _BITS_PER_BYTE)


def _scales(linear: Linear, packing: Packing) -> Fraction:
    return Fraction(packing.groups(linear.inputs) * linear.outputs * _SCALE_BYTES)


def _zeros(linear: Linear, packing: Packing) -> Fraction:
    return Fraction(packing.groups(linear.inputs) * linear.outputs * packing.bits, _BITS_PER_BYTE)
