"""What a condition is, before it has a time."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_MESSAGE: Final = 4096  # characters; the CRD's limit is 32,768, but a condition is read by people


class Truth(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Type(StrEnum):
    """The condition types, in the order in which a reader wants them."""

    ACCEPTED = "Accepted"
    SCHEDULED = "Scheduled"
    AVAILABLE = "Available"
    PROGRESSING = "Progressing"
    ISOLATED = "Isolated"
    STOPPED = "Stopped"


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
