"""What the engines say that they really got, beside what was predicted for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator.core.live import Live
from meditron_operator.core.observed import Pod

TOLERANCE_PERCENT: Final = 20.0
"""Sizing promises no more precision than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the log of one start of an engine said."""

    pod: str
    uid: str
    restarts: int
    kv_capacity_tokens: int | None
    """None: its first lines had no figure, and will not have one until it starts again."""

    def is_of(self, pod: Pod) -> bool:
        """Whether that start is still running."""
        return (self.uid, self.restarts) == (pod.uid, pod.restarts)


def stored_readings(status: Mapping[str, Any]) -> tuple[Reading, ...]:
    """Those in a stored status; what is none is left out, and will be read again."""
    match status.get("measured"):
        case {"replicas": [*items]}:
            return tuple(reading for item in items if (reading := _reading(item)) is not None)
        case _:
            return ()


def _reading(item: Any) -> Reading | None:
    match item:
        case {"pod": str(pod), "uid": str(uid), "restarts": int(restarts)}:
            tokens = item.get("kvCapacityTokens")
            if tokens is None or isinstance(tokens, int):
                return Reading(pod=pod, uid=uid, restarts=restarts, kv_capacity_tokens=tokens)
    return None


def running(known: Iterable[Reading], pods: Iterable[Pod]) -> tuple[Reading, ...]:
    """The readings of what runs now, by the name of the pod; what came later wins."""
    pods = tuple(pods)
    found = {reading.pod: reading for reading in known if any(reading.is_of(pod) for pod in pods)}
    return tuple(found[name] for name in sorted(found))


def of_current_template(readings: Sequence[Reading], pods: Iterable[Pod], workload: Live | None) -> list[int]:
    """The figures that may be held against the plan: a pod of an older template was planned differently."""
    revision = workload.status.get("updateRevision") if workload else None
    current = {pod.uid for pod in pods if revision is None or (pod.revision or revision) == revision}
    return [
        reading.kv_capacity_tokens
        for reading in readings
        if reading.uid in current and reading.kv_capacity_tokens is not None
    ]


def difference_percent(measured: int, predicted: int) -> float:
    """By how much the measurement is above the prediction; one digit after the point."""
    return round((measured - predicted) * 100 / predicted, 1)
