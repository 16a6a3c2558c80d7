"""`meditron drill`: a whole stop and release of one deployment, timed. It still takes a second person to approve.

The guard's record of the action Drill is what is filed; whoever stops it for real meanwhile ends the drill.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from meditron_operator.cli.switch.answer import as_json as stop_as_json
from meditron_operator.cli.switch.asked import Asked, Target
from meditron_operator.cli.switch.failing import BAD_INPUT, INTERRUPTED, NOT_DONE, Failed, failed
from meditron_operator.cli.switch.kill import Order, kill
from meditron_operator.cli.switch.release import RELEASE, RESUME, Sure, take
from meditron_operator.cli.switch.status import reading
from meditron_operator.cli.switch.telling import Telling
from meditron_operator.core.killswitch.drill import REASON, is_drill
from meditron_operator.core.killswitch.effective import Engaged, Mode
from meditron_operator.core.killswitch.outcome import Standing
from meditron_operator.core.killswitch.sight import Sight
from meditron_operator.core.killswitch.steps import RELEASE_WINDOW
from meditron_operator.errors import ApiError
from meditron_operator.shell.access import load_access
from meditron_operator.shell.person import reaching

_LOOK_SECONDS: Final = 1.0
_FILING_SECONDS: Final = 5.0
_STOP_VERBS: Final = ("switch",)
_VERBS: Final = (*_STOP_VERBS, "release", "resume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """What is to be tried."""

    ticket: str | None
    seconds: float
    """For the stop, and for coming back."""
    stop_only: bool = False
    """Leave the release to two people, for an account that may not even ask for one."""

    @property
    def verbs(self) -> tuple[str, ...]:
        return _STOP_VERBS if self.stop_only else _VERBS


@dataclass(slots=True)
class Evidence:
    """What came of it; grows as the drill goes on."""

    target: str
    stop_only: bool
    stop: dict[str, Any] = field(default_factory=dict)
    standing: Standing = Standing.NOT_STOPPED
    record: str | None = None
    """The guard's record, where it told of one in time; in the target's namespace."""
    approved_by: str | None = None
    seconds_to_approval: float | None = None
    seconds_to_return: float | None = None

    @property
    def code(self) -> int:
        """As of a stop; one that was to come back and did not is not done."""
        back = self.stop_only or self.seconds_to_return is not None
        return int(self.standing) if back else NOT_DONE

    def wire(self) -> dict[str, Any]:
        return {
            "drill": self.target,
            "record": self.record,
            "stopOnly": self.stop_only,
            "stop": self.stop,
            "approvedBy": self.approved_by,
            "secondsToApproval": self.seconds_to_approval,
            "secondsToReturn": self.seconds_to_return,
            "passed": self.code == Standing.PROVEN,
        }


def drill(asked: Asked, exercise: Exercise, tell: Telling, sure: Sure) -> Evidence:
    """Stop it, have it released, resume it, and see it serve again. Raises Failed; afterwards it may be off."""
    target, before = _ready(asked, exercise.verbs)
    after = "two people must release it afterwards" if exercise.stop_only else "somebody must be there to approve"
    if not sure(f"This stops {target}. No patient may depend on it now, and {after}."):
        raise Failed(BAD_INPUT, "no drill: you did not agree")
    evidence = Evidence(str(target), exercise.stop_only)
    _stop(asked, exercise, tell, evidence)
    if exercise.stop_only:
        tell.note(f"{target} stays off until two people release it: meditron release {target.command}")
        return evidence
    try:
        _release(asked, tell, evidence)
        _return(asked, tell, evidence, before, exercise.seconds)
    except Failed as failure:
        raise Failed(failure.code, f"{target} stays off after the drill: {failure}") from None
    except KeyboardInterrupt:
        told = f"interrupted: see whether it stays off: meditron status {target.command}"
        raise Failed(INTERRUPTED, told) from None
    return evidence


def _ready(asked: Asked, verbs: Sequence[str]) -> tuple[Target, Sight]:
    """The deployment, if it serves and who drills may do all of it. Nothing was stopped yet."""
    found = reading(asked)
    (before,) = found.sights
    if before.off is not None:
        raise Failed(BAD_INPUT, f"no drill: {found.target} is off already: {before.off}")
    if not _serving(before):
        raise Failed(BAD_INPUT, f"no drill: {found.target} does not serve, or you may not look at its pods")
    lacking = asyncio.run(_lacking(asked, found.target, verbs))
    if lacking:
        raise Failed(BAD_INPUT, f"no drill: you lack the verbs {', '.join(lacking)}, which it takes")
    return found.target, before


async def _lacking(asked: Asked, target: Target, verbs: Sequence[str]) -> list[str]:
    try:
        async with reaching(load_access(asked.context)) as person:
            allowed = await asyncio.gather(*(person.may(verb, target.carrier) for verb in verbs))
    except ApiError as error:
        raise failed(error, "no drill") from None
    return [verb for verb, may in zip(verbs, allowed, strict=True) if not may]


def _stop(asked: Asked, exercise: Exercise, tell: Telling, evidence: Evidence) -> None:
    order = Order(mode=Mode.HALT, reason=REASON, ticket=exercise.ticket, seconds=exercise.seconds, wait=True)
    stopped = kill(asked, order, tell)
    evidence.stop, evidence.standing = stop_as_json(stopped, tell), stopped.outcome.standing
    if evidence.standing is Standing.PROVEN:  # by a guard, which names its record a moment later
        filed = _until(asked, lambda sight: bool(_record(sight)), _FILING_SECONDS)
        evidence.record = _record(filed) if filed else None
    tell.say(f"the stop: {evidence.standing.name.lower().replace('_', ' ')} after {evidence.stop['seconds']:.1f} s")


def _release(asked: Asked, tell: Telling, evidence: Evidence) -> None:
    _until(asked, _is_ours, _LOOK_SECONDS)
    take(RELEASE, asked, tell, lambda _: True)
    began, window = tell.seconds, RELEASE_WINDOW.total_seconds()
    approved = _until(asked, lambda sight: _is_ours(sight) and not isinstance(sight.off, Engaged), window)
    if approved is None:
        raise Failed(NOT_DONE, "nobody approved within 15 minutes: meditron release, approve and resume")
    evidence.approved_by = getattr(approved.off, "approved_by", None)
    evidence.seconds_to_approval = round(tell.seconds - began, 3)
    tell.event(f"approved by {evidence.approved_by}")


def _return(asked: Asked, tell: Telling, evidence: Evidence, before: Sight, seconds: float) -> None:
    began, wanted = tell.seconds, _serving(before)
    take(RESUME, asked, tell, lambda _: True)
    if _until(asked, lambda sight: _serving(sight) >= wanted, seconds) is not None:
        evidence.seconds_to_return = round(tell.seconds - began, 3)
        tell.event(f"{wanted} pods serve again")
    else:
        tell.warn(f"it was resumed, and does not serve after {seconds:.0f} s: look at kubectl get md")


def _record(sight: Sight) -> str | None:
    return (sight.told.record or None) if sight.told else None


def _is_ours(sight: Sight) -> bool:
    """Raises Failed when it is no drill any more: what somebody else stopped is not ours to bring back."""
    if isinstance(sight.off, Engaged) and not is_drill(sight.carrier):
        raise Failed(NOT_DONE, f"somebody stopped it for real meanwhile: {sight.off}")
    return True


def _serving(sight: Sight) -> int:
    """Pods that take new connections."""
    return sum(pod.open and pod.grace is None for pod in sight.pods or ())


def _until(asked: Asked, holds: Callable[[Sight], bool], seconds: float) -> Sight | None:
    """The first look at which it holds; an API server that is away is looked at again. None: not in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            (sight,) = reading(asked).sights
        except Failed as failure:
            if failure.code != NOT_DONE:
                raise
        else:
            if holds(sight):
                return sight
        if time.monotonic() >= deadline:
            return None
        time.sleep(_LOOK_SECONDS)
