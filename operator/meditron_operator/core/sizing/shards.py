"""Over how many GPUs TGI can spread a model: every sharded dimension must divide, none is replicated.

Sources: TGI 3.3.7 flash_llama_modeling.py:167-176 (heads), utils/weights.py get_sharded (dimensions),
layers/marlin/gptq.py (whole groups per shard, _check_valid_shape), layers/gptq/__init__.py.
"""

from typing import Final

from meditron_operator.core.catalog.models import Linear, ModelShape
from meditron_operator.core.catalog.quantization import Packing
from meditron_operator.core.sizing.demand import Demand
from meditron_operator.core.sizing.kernels import Kernel

_MARLIN_TILES: Final = ((128, 64), (64, 128))
"""A shard's inputs and outputs must divide by one of these pairs."""

_BITS_PER_INT: Final = 32  # packed weights are stored as int32


def why_illegal(demand: Demand, shards: int) -> str | None:
    """The first rule that this count breaks, with its numbers; None when TGI can shard so."""
    if shards < 1:
        return "at least one GPU is needed"
    undivided = _undivided_dimension(demand.model, shards)
    if undivided is not None or demand.packed is None or demand.kernel is None:
        return undivided
    rule = _breaks_marlin if demand.kernel is Kernel.MARLIN else _breaks_packing
    broken = (rule(linear, demand.packed, shards) for linear in reversed(demand.model.linears))
    return next((why for why in broken if why is not None), None)


def legal_shard_counts(demand: Demand) -> tuple[int, ...]:
    """Every legal count, ascending; no count above the KV heads can be."""
    counts = range(1, demand.model.num_key_value_heads + 1)
    return tuple(count for count in counts if why_illegal(demand, count) is None)


def _undivided_dimension(model: ModelShape, shards: int) -> str | None:
    dimensions = {
        "attention heads": model.num_attention_heads,
        "key-value heads": model.num_key_value_heads,
        "MLP columns": model.intermediate_size,
    }
    for name, size in dimensions.items():
        if size % shards:
            return f"{shards} does not divide {size:,} {name}"
    return None


def _breaks_marlin(linear: Linear, packing: Packing, shards: int) -> str | None:
    inputs = linear.inputs // shards if linear.row_sharded else linear.inputs
    outputs = linear.outputs if linear.row_sharded else linear.outputs // shards
    if packing.group_size is not None and inputs % packing.group_size:
        return f"{_quotient(linear.inputs, inputs, shards)} is no multiple of the group of {packing.group_size}"
    if not any(inputs % rows == 0 and outputs % columns == 0 for rows, columns in _MARLIN_TILES):
        return f"Marlin has no tiles for a shard of {inputs:,} x {outputs:,} (multiples of 128 x 64 or 64 x 128)"
    return None


def _breaks_packing(linear: Linear, packing: Packing, shards: int) -> str | None:
    """Rows are cut in whole int32 and, where each group keeps its own rows, in whole groups."""
    if not linear.row_sharded:
        return None
    inputs = linear.inputs // shards
    per_int = _BITS_PER_INT // packing.bits
    if inputs % per_int:
        return f"{_quotient(linear.inputs, inputs, shards)} is no multiple of the {per_int} weights of an int32"
    if not packing.act_order and packing.groups(linear.inputs) > 1 and packing.groups(linear.inputs) % shards:
        return f"{shards} does not divide {packing.groups(linear.inputs):,} groups of {packing.group_size}"
    return None


def _quotient(size: int, part: int, shards: int) -> str:
    return f"{size:,} / {shards} = {part:,}" if shards > 1 else f"{size:,}"
