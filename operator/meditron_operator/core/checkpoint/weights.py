"""Sizes of the weight files, from their listing and from the index of a checkpoint in several files."""

from collections.abc import Mapping
from typing import Any, Final

from meditron_operator.core.checkpoint.errors import CheckpointError
from meditron_operator.core.checkpoint.text import parse_object
from meditron_operator.core.sizing import WeightFiles

INDEX: Final = "model.safetensors.index.json"
SUFFIX: Final = ".safetensors"


def weight_files(sizes: Mapping[str, int]) -> WeightFiles | None:
    """The weights among files of these sizes in bytes, by name; None where no safetensors are listed."""
    weights = [size for name, size in sizes.items() if name.endswith(SUFFIX) and "/" not in name]
    return WeightFiles(total_bytes=sum(weights), largest_bytes=max(weights)) if weights else None


def read_index(text: str) -> frozenset[str]:
    """The files that an index says the checkpoint consists of.

    Raises CheckpointError for what is no index.
    """
    mapping: Any = parse_object(text).get("weight_map")
    if not isinstance(mapping, dict) or not mapping or not all(isinstance(file, str) for file in mapping.values()):
        raise CheckpointError("weight_map must map tensors to files")
    return frozenset(mapping.values())
