"""What a condition is, before it has a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_REQUIRED: Final = frozenset({"type", "status", "reason", "lastTransitionTime"})
MAX_MESSAGE: Final = 4096  # characters; the CRD's limit is 32,768, but a condition is read by people


class Truth(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Type(StrEnum):
    """The condition types, in the order in which a reader wants them."""

    ACCEPTED = "Accepted"
    PLAN_CURRENT = "PlanCurrent"
    PLAN_VERIFIED = "PlanVerified"
    SCHEDULED = "Scheduled"
    AVAILABLE = "Available"
    PROGRESSING = "Progressing"
    ISOLATED = "Isolated"
    OFFLINE = "Offline"
    STOPPED = "Stopped"


def stored(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The conditions of a stored status by their type; whatever is not one (stored under older rules) is left out."""
    conditions = status.get("conditions")
    if not isinstance(conditions, list):
        return {}
    return {item["type"]: item for item in conditions if _is_condition(item)}


def _is_condition(item: Any) -> bool:
    return isinstance(item, Mapping) and all(isinstance(item.get(field), str) for field in _REQUIRED)


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about the deployment, with its reason and the numbers behind it."""

    type: Type
    status: Truth
    reason: str
    message: str

    def __post_init__(self) -> None:
        if len(self.message) > MAX_MESSAGE:
            object.__setattr__(self, "message", self.message[: MAX_MESSAGE - 1] + "…")
