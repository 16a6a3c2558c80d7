"""Over how many GPUs TGI can spread a model: every sharded dimension must divide, none is replicated.

Sources: TGI 3.3.7 flash_llama_modeling.py:167-176 (heads), utils/weights.py get_sharded (dimensions),
layers/marlin (whole groups per shard).
"""

from meditron_operator.core.catalog.models import ModelShape
from meditron_operator.core.catalog.quantization import FACTS, GROUP_WEIGHTS, Quantization


def why_illegal(model: ModelShape, quantization: Quantization, shards: int) -> str | None:
    """The first rule that this count breaks, with its numbers; None when TGI can shard so."""
    if shards < 1:
        return "at least one GPU is needed"
    undivided = _undivided_dimension(model, shards)
    if undivided is not None:
        return undivided
    return _broken_group(model, shards) if FACTS[quantization].grouped else None


def legal_shard_counts(model: ModelShape, quantization: Quantization) -> tuple[int, ...]:
    """Every legal count, ascending; no count above the KV heads can be."""
    counts = range(1, model.num_key_value_heads + 1)
    return tuple(count for count in counts if why_illegal(model, quantization, count) is None)


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


def _broken_group(model: ModelShape, shards: int) -> str | None:
    """Row-sharded linears are down_proj and o_proj: their input is what is cut."""
    for size in (model.intermediate_size, model.attention_width):
        if size // shards % GROUP_WEIGHTS:
            return f"{size:,} / {shards} = {size // shards:,} is no multiple of the group of {GROUP_WEIGHTS}"
    return None
