"""The kill switch: the annotations of three scopes, and what they come to.

Read from the raw objects, so a spec that doesn't parse is stopped like any other. Every value stops, an unknown or
empty one too: where the admission policies are missing a typo must not look like a stop and be none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from meditron_operator import names

Annotations = Mapping[str, str]


class Mode(StrEnum):
    """How hard a stop is, the weakest first."""

    HOLD = "hold"
    DRAIN = "drain"
    HALT = "halt"

    @classmethod
    def of(cls, word: str | None) -> "Mode":
        """What a word counts as: an unknown one, or none, as halt."""
        return next((mode for mode in cls if mode == word), cls.HALT)

    @property
    def strength(self) -> int:
        """The more, the harder."""
        return list(Mode).index(self) + 1


class Scope(StrEnum):
    """What an annotation stops, the widest last."""

    DEPLOYMENT = "deployment"
    NAMESPACE = "namespace"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engaged:
    """Somebody stops it; the reason is the person's own words."""

    scope: Scope
    mode: str
    reason: str

    def __str__(self) -> str:
        told = f"{self.mode}: {self.reason}" if self.reason else self.mode
        return told if self.scope is Scope.DEPLOYMENT else f"whole {self.scope}, {told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Two people released it, and nobody resumed it yet: still off."""

    scope: Scope
    requested_by: str
    approved_by: str

    def __str__(self) -> str:
        asked = f"requested by {self.requested_by}, " if self.requested_by else ""
        return f"release of the {self.scope} {asked}approved by {self.approved_by}; annotate meditron.ai/resume"


Off = Engaged | Released
"""Why a deployment must not run."""


def ours(metadata: Mapping[str, Any]) -> Annotations:
    """The annotations of our group, of raw metadata."""
    annotations = metadata.get("annotations") or {}
    return {key: value for key, value in annotations.items() if key.startswith(f"{names.GROUP}/")}


def effective(scopes: Mapping[Scope, Annotations]) -> Off | None:
    """The strictest of what the scopes say, None when all let it run.

    Engaged is stricter than released. Of equals the narrower is told: its people know most about it.
    """
    found = [off for scope in Scope if (off := _of(scope, scopes.get(scope, {}))) is not None]
    return max(found, key=_strictness, default=None)


def _of(scope: Scope, annotations: Annotations) -> Off | None:
    if names.KILL_SWITCH in annotations:
        mode = annotations[names.KILL_SWITCH] or "halt"
        return Engaged(scope=scope, mode=mode, reason=annotations.get(names.KILL_REASON, ""))
    if names.RELEASE_APPROVED_BY in annotations and names.RESUME not in annotations:
        return Released(
            scope=scope,
            requested_by=annotations.get(names.RELEASE_REQUESTED_BY, ""),
            approved_by=annotations[names.RELEASE_APPROVED_BY],
        )
    return None


def _strictness(off: Off) -> int:
    return Mode.of(off.mode).strength if isinstance(off, Engaged) else 0
