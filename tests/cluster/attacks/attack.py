"""One way to write to the API server, and when it would have undone the switch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from meditron_operator import names
from tests.cluster.attacks.world import Place
from tests.cluster.support import Manifest

MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"

Body = Callable[[Manifest, str], Any]
"""From the object as it is (empty for a new one) and the attacker's own name to what is sent."""


def always(_: Manifest) -> bool:
    """That it was let through is the breach."""
    return True


def no_longer_halted(answer: Manifest) -> bool:
    """What the server stored, or would have stored, is not what it was."""
    annotations: Mapping[str, str] = answer.get("metadata", {}).get("annotations", {})
    return annotations.get(names.KILL_SWITCH) != "halt" or names.KILL_REASON not in annotations


@dataclass(frozen=True, slots=True)
class Attack:
    """A request. `path` is what is written to, `live` what is read before to build the body, if anything is."""

    name: str
    place: Place
    method: str
    path: str
    body: Body = lambda live, me: None
    content: str = JSON
    live: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    breach: Callable[[Manifest], bool] = always
    entitled: frozenset[str] = frozenset()  # actors who may do this


def escaped(key: str) -> str:
    """An annotation's key in the path of a JSON patch."""
    return f"/metadata/annotations/{key.replace('/', '~1')}"


def annotations(changes: Mapping[str, str | None]) -> Body:
    """A merge patch of these annotations; None takes one away."""
    return lambda live, me: {"metadata": {"annotations": dict(changes)}}


def metadata(**changes: Any) -> Body:
    """A merge patch of metadata."""
    return lambda live, me: {"metadata": changes}


def fixed(body: Any) -> Body:
    """Always this."""
    return lambda live, me: body


def edited(change: Callable[[Manifest], None]) -> Body:
    """The whole object as it is, changed: a PUT."""

    def edit(live: Manifest, me: str) -> Manifest:
        change(live)
        return live

    return edit
