"""Facts of a real checkpoint, read from the files that every repository of the Hub has: config.json and sizes."""

from meditron_operator.core.checkpoint.config import Facts, read_config
from meditron_operator.core.checkpoint.errors import CheckpointError
from meditron_operator.core.checkpoint.weights import read_index, weight_files

__all__ = ["CheckpointError", "Facts", "read_config", "read_index", "weight_files"]
