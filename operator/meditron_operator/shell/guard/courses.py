"""What a guard remembers of one stop, as long as it runs."""

from dataclasses import dataclass, field

from meditron_operator.core.guard.actions import Done
from meditron_operator.core.guard.course import Moments, Stop
from meditron_operator.core.guard.seen import Pod
from meditron_operator.core.killswitch import Mode


@dataclass(slots=True)
class Course:
    """One stop of one deployment, as this process has seen it."""

    mode: Mode
    engaged: bool  # else released
    seen_at: str
    began: float  # by the clock of the lanes
    moments: Moments = field(default_factory=Moments)
    done: set[Done] = field(default_factory=set)
    pods: dict[str, Pod] = field(default_factory=dict)  # by uid; every one that was seen since the last proof
    idle_looks: int = 0
    drained: bool = False
    sent: bool = False  # the first requests are out: now there is time for records
    proven: Stop | None = None  # what the last proof was of
    proven_until: float = 0.0
    look_after: float = 0.0
