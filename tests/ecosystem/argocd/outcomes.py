"""What comes of Argo CD's ways to sync, with the kill switch engaged and without: facts of docs/gitops.md.

Each line is tried with the real Argo CD (test_switch.py), which tries again every second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Mode(StrEnum):
    """How Argo CD writes. The names are those of the Applications that try it."""

    APPLY = "apply"
    SERVER_SIDE = "server-side"
    REPLACE = "replace"
    FORCE = "force"


@dataclass(frozen=True, slots=True)
class Way:
    """A mode's name in the documentation, and how it is asked for."""

    title: str
    options: tuple[str, ...] = ()
    """Sync options of the Application."""
    annotation: str = ""
    """Sync options of the object in Git, where Argo CD takes them only there."""


WAYS: Final[Mapping[Mode, Way]] = {
    Mode.APPLY: Way("default"),
    Mode.SERVER_SIDE: Way("`ServerSideApply=true`", options=("ServerSideApply=true",)),
    Mode.REPLACE: Way("`Replace=true`", options=("Replace=true",)),
    Mode.FORCE: Way("`Force=true,Replace=true`", annotation="Force=true,Replace=true"),
}


class Outcome(StrEnum):
    """What comes of it."""

    NOTHING = "nothing to do"
    DONE = "carried out"
    REFUSED = "refused"
    RESET = "carried out, replicas set back to 1"
    REMADE = "deleted and made anew"


class Event(StrEnum):
    """What happens."""

    LOOK = "look"
    DRIFT = "drift"
    CHANGE = "change"
    RAISE = "raise"
    ASSERT = "assert"
    PRUNE = "prune"


TITLES: Final[Mapping[Event, str]] = {
    Event.LOOK: "nothing changes in Git",
    Event.DRIFT: "somebody changed the spec by hand, and `selfHeal` puts it back",
    Event.CHANGE: "a commit changes the spec",
    Event.RAISE: "a commit raises `replicas`",
    Event.ASSERT: "a commit has the annotation `meditron.ai/resume`",
    Event.PRUNE: "a commit takes the deployment away, and `prune` deletes it",
}
"""With the kill switch engaged."""


def _everywhere(outcome: Outcome) -> dict[Mode, Outcome]:
    return dict.fromkeys(Mode, outcome)


_BY_PUT: Final = {Mode.REPLACE: Outcome.REFUSED, Mode.FORCE: Outcome.REFUSED}

ENGAGED: Final[Mapping[Event, Mapping[Mode, Outcome]]] = {
    Event.LOOK: _everywhere(Outcome.NOTHING),
    Event.DRIFT: _everywhere(Outcome.DONE) | _BY_PUT,
    Event.CHANGE: _everywhere(Outcome.DONE) | _BY_PUT,
    Event.RAISE: _everywhere(Outcome.REFUSED),
    Event.ASSERT: _everywhere(Outcome.REFUSED),
    Event.PRUNE: _everywhere(Outcome.REFUSED),
}
"""The kill switch stays engaged in all of them, and no pod is made."""

NOT_ENGAGED: Final[Mapping[Mode, Outcome]] = {
    Mode.APPLY: Outcome.DONE,
    Mode.SERVER_SIDE: Outcome.DONE,
    Mode.REPLACE: Outcome.RESET,
    Mode.FORCE: Outcome.REMADE,
}
"""A commit changes the spec of a deployment that something scaled, and whose `replicas` Git leaves out."""
