"""The kill switch in its first form: the annotation on the deployment itself.

Read from the raw object, so a spec that doesn't parse is stopped like any other. Every value stops, an unknown
or empty one too: a typo must not look like a stop and be none. All modes act as `halt` in this release.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meditron_operator import names


@dataclass(frozen=True, slots=True, kw_only=True)
class Engaged:
    """What the annotations say; the reason is the person's own words."""

    mode: str
    reason: str


def engaged(metadata: Mapping[str, Any]) -> Engaged | None:
    """The state that the object's annotations ask for, None while nobody asked to stop."""
    annotations = metadata.get("annotations") or {}
    if names.KILL_SWITCH not in annotations:
        return None
    return Engaged(mode=annotations[names.KILL_SWITCH] or "halt", reason=annotations.get(names.KILL_REASON, ""))
