"""What is the same, and what may differ for a reason."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from tests.campaign.sight import Seen

_GONE: Final = "(absent)"
_LONGEST_TOLD: Final = 160


@dataclass(frozen=True, slots=True)
class Excuse:
    """Fields that may differ, by their path (`fnmatch`), and why."""

    fields: str
    why: str


ALWAYS: Final = (
    Excuse("itself/conditions/Scheduled/message", "names the nodes, and each replica takes whichever is free"),
    Excuse("itself/gpuChoice/*", "tells of the moment of the choice, and of what was free then"),
    Excuse("itself/conditions/PlanCurrent/message", "of auto: the same"),
)
"""Between any two deployments with the same spec."""

STAYED: Final = (Excuse("itself/rollout*", "remembers the last template with which all replicas served"),)
"""Between one that came to its spec by some way and one that began with it."""

WAITING: Final = (
    Excuse("StatefulSet NAME/spec/updateStrategy/*", "says how far the rollout is"),
    Excuse("itself/phase", "of what runs, which an older template may still be"),
    *(Excuse(f"itself/{field}", "the same") for field in ("reason", "ready", "replicas", "readyReplicas", "measured*")),
    *(
        Excuse(f"itself/conditions/{each}/*", "the same")
        for each in ("Scheduled", "Available", "Progressing", "PlanVerified")
    ),
    *STAYED,
)
"""Where not all replicas serve with the template of the spec: those of before stay as long as they can."""

TAKEN_BACK: Final = (
    Excuse("StatefulSet NAME/spec/template/*", "is the last one that served, as onFailure: rollback asks"),
    *WAITING,
)


INVALID: Final = (
    Excuse("[!i]*", "children of the last spec that could be carried out stay"),
    *(
        Excuse(f"itself/{field}", "tells of them")
        for field in ("endpoint", "engine", "plan", "gpuChoice", "desiredReplicas", "conditions/Isolated/*")
    ),
    *WAITING,
)
"""Where a spec can't be carried out."""


def excuses(one: Seen, other: Seen, stayed: bool) -> tuple[Excuse, ...]:
    """What may differ between two deployments with the same spec; `stayed`: one of them had another one before."""
    both = (one, other)
    if any(seen.status.get("reason") == "RolledBack" for seen in both):
        return *ALWAYS, *TAKEN_BACK
    if all(seen.phase == "Invalid" for seen in both):
        return *ALWAYS, *INVALID
    if not all(seen.serves for seen in both):
        return *ALWAYS, *WAITING
    return (*ALWAYS, *STAYED) if stayed else ALWAYS


def unexcused(one: Any, other: Any, allowed: Iterable[Excuse]) -> list[str]:
    """The differences for which there is no reason, as lines."""
    patterns = [excuse.fields for excuse in allowed]
    return [
        f"{path}: {_told(first)} / {_told(second)}"
        for path, first, second in differences(one, other)
        if not any(fnmatchcase(path, pattern) for pattern in patterns)
    ]


def differences(one: Any, other: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path and both values, as deep as it goes."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted(one.keys() | other.keys()):
            path = f"{at}/{key}" if at else str(key)
            yield from differences(one.get(key, _GONE), other.get(key, _GONE), path)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from differences(first, second, f"{at}/{number}")
    elif one != other:
        yield at, one, other


def _told(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"
