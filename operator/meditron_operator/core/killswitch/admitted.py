"""When the API server took the kill annotation in, by its own clock: it writes that down for every write."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.killswitch.effective import Annotations, Mode

_FIELD: Final = f"f:{names.KILL_SWITCH}"


def admitted_at(metadata: Mapping[str, Any]) -> str | None:
    """RFC 3339 in whole seconds; None where nothing tells, for instance since somebody reset managedFields.

    Of several writers that own the annotation the latest counts.
    """
    return max((entry["time"] for entry in metadata.get("managedFields") or () if _owns(entry)), default=None)


def drain_since(carriers: Iterable[tuple[Annotations, str | None]]) -> str | None:
    """Since when the scopes ask for a drain: a second one, of another scope, doesn't lengthen it.

    None where one of them doesn't tell.
    """
    times = [when for annotations, when in carriers if annotations.get(names.KILL_SWITCH) == Mode.DRAIN]
    known = [when for when in times if when is not None]
    return min(known, default=None) if len(known) == len(times) else None


def _owns(entry: Mapping[str, Any]) -> bool:
    match entry:
        case {"time": str(), "fieldsV1": {"f:metadata": {"f:annotations": dict(owned)}}}:
            return _FIELD in owned
        case _:
            return False
