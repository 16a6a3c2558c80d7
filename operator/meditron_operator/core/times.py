"""Times as Kubernetes writes them."""

from datetime import UTC, datetime
from typing import Any


def rfc3339(moment: datetime) -> str:
    """In UTC, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(stored: Any) -> datetime | None:
    """A stored time; None where there is none that can be read, or one without its zone."""
    try:
        found = datetime.fromisoformat(stored)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None
