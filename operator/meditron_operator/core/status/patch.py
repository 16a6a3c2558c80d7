"""From one status to another by a merge patch."""

from collections.abc import Mapping
from typing import Any


def merge_patch(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What turns `stored` into `wanted`: a merge patch keeps what it doesn't name, so null takes it away, in nested
    objects too."""
    gone: dict[str, Any] = dict.fromkeys(stored.keys() - wanted.keys())
    return gone | {key: _value(stored.get(key), value) for key, value in wanted.items()}


def _value(stored: Any, wanted: Any) -> Any:
    nested = isinstance(stored, Mapping) and isinstance(wanted, Mapping)
    return merge_patch(stored, wanted) if nested else wanted
