"""Times as Kubernetes writes them."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """In UTC, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
