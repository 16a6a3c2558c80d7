"""What ends a shard while it loads (S cli.py, S models/custom_modeling/flash_llama_modeling.py, S utils/weights.py)."""

from collections.abc import Iterator
from typing import Final

from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.launch import Launch
from tests.doubles.tgi.modelfiles import ModelFiles

_DTYPE_IS_FREE: Final = frozenset({None, "bitsandbytes", "bitsandbytes-nf4", "bitsandbytes-fp4"})
_PACKED: Final = 8  # 4-bit weights to a 32-bit word


def refusal(arguments: Arguments, launch: Launch, files: ModelFiles, gpus: int | None) -> str | None:
    """The last line of the traceback that a shard would end with, or None."""
    return next(_refusals(arguments, launch, files, gpus), None)


def _refusals(arguments: Arguments, launch: Launch, files: ModelFiles, gpus: int | None) -> Iterator[str]:
    if arguments.dtype is not None and launch.quantize not in _DTYPE_IS_FREE:
        yield (
            "RuntimeError: Only 1 can be set between `dtype` and `quantize`, "
            "as they both decide how goes the final model."
        )
    if gpus is not None and launch.num_shard > gpus:
        yield "AssertionError: Each process is one gpu"
    yield from _heads(launch.num_shard, files)
    yield from _weights(launch, files)


def _heads(shards: int, files: ModelFiles) -> Iterator[str]:
    attention_heads = files.number("num_attention_heads")
    heads = {"num_heads": attention_heads, "num_key_value_heads": files.number("num_key_value_heads")}
    for name, count in heads.items():
        if count is not None and count % shards:
            yield (
                f"ValueError: `{name}` must be divisible by `num_shards` "
                f"(got `{name}`: {count} and `num_shards`: {shards}"
            )


def _weights(launch: Launch, files: ModelFiles) -> Iterator[str]:
    """The rows of down_proj: the widest matrix that is split by rows, and the one that fails first in practice."""
    rows = files.number("intermediate_size")
    if rows is None:
        return
    sizes = [rows]
    if launch.quantize in {"gptq", "awq"}:
        sizes = [rows // _PACKED if launch.quantize == "gptq" else rows]
        if not files.keeps_all_scales:
            sizes.append(rows // files.group_size)
    for size in sizes:
        if size % launch.num_shard:
            yield (
                f"AssertionError: The choosen size {size} is not compatible with sharding on {launch.num_shard} shards"
            )
