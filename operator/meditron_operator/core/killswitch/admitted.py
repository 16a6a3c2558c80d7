"""When the API server took an annotation in, by its own clock."""

from collections.abc import Mapping
from typing import Any


def admitted_at(metadata: Mapping[str, Any], key: str) -> str | None:
    """Of raw metadata: the last write by whoever wrote the annotation; None where the server doesn't say.

    The server keeps one time for all that a client wrote, so a later write of the same client to another field
    moves it: the earliest that is seen counts.
    """
    entries = metadata.get("managedFields")
    times = [str(entry["time"]) for entry in (entries if isinstance(entries, list) else ()) if _wrote(entry, key)]
    return max(times, default=None)


def _wrote(entry: Any, key: str) -> bool:
    match entry:
        case {"time": str(), "fieldsV1": {"f:metadata": {"f:annotations": {**fields}}}}:
            return f"f:{key}" in fields
        case _:
            return False
