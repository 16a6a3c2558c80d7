"""When the API server took an annotation in, by its own clock."""

from collections.abc import Mapping
from typing import Any


def admitted_at(metadata: Mapping[str, Any], key: str) -> str | None:
    """Of raw metadata; None where the server doesn't say.

    Who changes it is its only owner then, and whoever applies the same value later one more: the earliest counts.
    The server keeps one time for all that a client wrote, so the same client's next write to another field moves it.
    """
    entries = metadata.get("managedFields")
    times = [str(entry["time"]) for entry in (entries if isinstance(entries, list) else ()) if _wrote(entry, key)]
    return min(times, default=None)


def _wrote(entry: Any, key: str) -> bool:
    match entry:
        case {"time": str(), "fieldsV1": {"f:metadata": {"f:annotations": {**fields}}}}:
            return f"f:{key}" in fields
        case _:
            return False
