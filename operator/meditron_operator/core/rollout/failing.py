"""When a replica of a new template counts as failed: not at the first hitch, and not after hours."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meditron_operator.core.observed import Pod, Trouble

CRASHES: Final = 2
"""Restarts: the third try of the same engine on the same files is no accident."""
REFUSED_SECONDS: Final = 30.0
"""Without an image or a container: kubelet has tried three times by then (back-off of 10 and 20 s)."""
UNPLACED_SECONDS: Final = 60.0
"""Without a node: the scheduler tries again at once when a GPU comes free."""
SLACK_SECONDS: Final = 600.0
"""Beyond the startup budget, for pulling the image and mounting; a Deployment's progressDeadlineSeconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A replica that does not come to serve."""

    pod: Pod
    why: str
    blames_template: bool
    """Whether the template is to blame, and not that its GPU is gone."""

    def __str__(self) -> str:
        return f"{self.pod.ref.name}: {self.why}"


def failing(pod: Pod, startup_seconds: int, now: datetime) -> Failing | None:
    """What became of a replica that does not serve; None while it may still come."""
    if _left(pod, startup_seconds, now) > 0:
        return None
    if pod.trouble is not None:
        return Failing(pod=pod, why=pod.trouble.told(pod.restarts), blames_template=True)
    if pod.unschedulable is not None:
        return Failing(pod=pod, why=f"no node takes it: {pod.unschedulable}", blames_template=False)
    # The time that it had, not the one that has passed: a message that ages is written again and again.
    had = int(startup_seconds + SLACK_SECONDS)
    return Failing(pod=pod, why=f"does not serve {had} s after it was made", blames_template=True)


def patience_left(pod: Pod, startup_seconds: int, now: datetime) -> float | None:
    """Seconds until it counts as failed, as far as time decides that; None where it failed already."""
    left = _left(pod, startup_seconds, now)
    return left if left > 0 else None


def _left(pod: Pod, startup_seconds: int, now: datetime) -> float:
    deadline = startup_seconds + SLACK_SECONDS
    if pod.trouble is not None:
        deadline = _deadline(pod.trouble, pod.restarts, deadline)
    elif pod.unschedulable is not None:
        deadline = UNPLACED_SECONDS
    return deadline - _age(pod, now)


def _deadline(trouble: Trouble, restarts: int, longest: float) -> float:
    if trouble.exit_code is None:
        return REFUSED_SECONDS
    return 0.0 if restarts >= CRASHES else longest


def _age(pod: Pod, now: datetime) -> float:
    return (now - datetime.fromisoformat(pod.created)).total_seconds()
