"""Replicas of a rollout in a word each: for the tables of its tests."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from meditron_operator.core.observed import Pod
from meditron_operator.core.rollout.move import Scene
from meditron_operator.core.times import rfc3339
from tests.unit.kit import MOMENT, OWNER, pod

OLD: Final = "ward-old"
NEW: Final = "ward-new"
OTHER: Final = "ward-other"
"""Of a change that was overtaken by the next."""
REVISIONS: Final = {"old": OLD, "new": NEW, "other": OTHER}
LONG_AGO: Final = 10_000
"""Seconds, after which nobody waits for a start any more."""

_READY: Final = [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}]
_LAST: Final = {"terminated": {"exitCode": 1, "reason": "Error", "message": "no CUDA"}}
_TRIED: Final = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": _LAST}
_STATES: Final[Mapping[str, Mapping[str, Any]]] = {
    "serves": {"conditions": _READY},
    "warm": {"conditions": _READY[1:]},
    "loads": {},
    "crashes": {"containerStatuses": [_TRIED | {"restartCount": 2}]},
    "crashed": {"containerStatuses": [_TRIED | {"restartCount": 1}]},
    "imageless": {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "denied"}}}]},
    "unplaced": {
        "conditions": [{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/3 nodes: Insufficient GPU"}]
    },
    "leaves": {"conditions": _READY},
}


def replica(at: int, words: str, *, age_seconds: float = 120) -> Pod:
    """`old serves`, `new crashes` and so on."""
    revision, state = words.split()
    metadata: dict[str, Any] = {
        "labels": {"meditron.ai/deployment": OWNER.name, "controller-revision-hash": REVISIONS[revision]},
        "creationTimestamp": rfc3339(MOMENT - timedelta(seconds=age_seconds)),
    }
    if state == "leaves":
        metadata["deletionTimestamp"] = "2026-02-02T02:02:09Z"
    return pod(f"ward-{at}", metadata=metadata, status={"conditions": [], **_STATES[state]})


def replicas(*words: str) -> dict[int, Pod]:
    """The first is ordinal 0; `missing` is none."""
    return {at: replica(at, each) for at, each in enumerate(words) if each != "missing"}


def scene(
    *words: str,
    current: str = "old",
    allow_outage: bool = False,
    room: Callable[[Pod], bool] = lambda _: True,
) -> Scene:
    """The new template is wanted."""
    stuck = frozenset(at for at, each in enumerate(words) if each.split()[-1] in ("crashes", "imageless", "unplaced"))
    return Scene(
        wanted=len(words),
        pods=replicas(*words),
        update=NEW,
        current=REVISIONS[current],
        stuck=stuck,
        allow_outage=allow_outage,
        room=room,
    )
