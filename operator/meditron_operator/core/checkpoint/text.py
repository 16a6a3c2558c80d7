"""JSON that somebody else wrote, and may have meant badly."""

import json
from typing import Any, Final

from meditron_operator.core.checkpoint.errors import CheckpointError

MAX_BYTES: Final = 8 * 2**20
"""A config.json has a few kB; the index of a model with 100,000 tensors some MB."""


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object in `text`. Raises CheckpointError with the place of the mistake."""
    if len(text) > MAX_BYTES:
        raise CheckpointError(f"larger than {MAX_BYTES // 2**20} MiB: this is not the file of a checkpoint")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CheckpointError(f"not JSON, or cut off: {error.msg} at {where}") from None
    except RecursionError:
        raise CheckpointError("nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise CheckpointError(str(error)) from None
    if not isinstance(value, dict):
        raise CheckpointError(f"must be a JSON object, not {type(value).__name__}")
    return value
