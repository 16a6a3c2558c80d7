"""When the API server took an annotation in, by its own clock: it writes that down for every write."""

from collections.abc import Iterable, Mapping
from typing import Any

from meditron_operator import names
from meditron_operator.core.killswitch.effective import Annotations, Mode


def admitted_at(metadata: Mapping[str, Any], key: str = names.KILL_SWITCH) -> str | None:
    """Of raw metadata, RFC 3339 in whole seconds; None where nothing tells, for instance since somebody reset
    managedFields.

    Who changes it is its only owner then, and whoever applies the same value later one more: the earliest counts.
    The server keeps one time for all that a client wrote, so the same client's next write to another field moves it.
    """
    entries = metadata.get("managedFields")
    times = [str(entry["time"]) for entry in (entries if isinstance(entries, list) else ()) if _wrote(entry, key)]
    return min(times, default=None)


def drain_since(carriers: Iterable[tuple[Annotations, str | None]]) -> str | None:
    """Since when the scopes ask for a drain: a second one, of another scope, doesn't lengthen it.

    None where one of them doesn't tell.
    """
    times = [when for annotations, when in carriers if annotations.get(names.KILL_SWITCH) == Mode.DRAIN]
    known = [when for when in times if when is not None]
    return min(known, default=None) if len(known) == len(times) else None


def _wrote(entry: Any, key: str) -> bool:
    match entry:
        case {"time": str(), "fieldsV1": {"f:metadata": {"f:annotations": {**fields}}}}:
            return f"f:{key}" in fields
        case _:
            return False
