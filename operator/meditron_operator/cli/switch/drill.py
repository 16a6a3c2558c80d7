"""`meditron drill`: a whole stop and release of one deployment, timed. It still takes a second person to approve."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from meditron_operator.cli.switch.answer import as_json as stop_as_json
from meditron_operator.cli.switch.asked import Asked, Target
from meditron_operator.cli.switch.failing import BAD_INPUT, INTERRUPTED, NOT_DONE, Failed, failed
from meditron_operator.cli.switch.kill import Order, kill
from meditron_operator.cli.switch.release import RELEASE, RESUME, Sure, take
from meditron_operator.cli.switch.status import reading
from meditron_operator.cli.switch.telling import Telling
from meditron_operator.core.killswitch.effective import Engaged, Mode
from meditron_operator.core.killswitch.outcome import Standing
from meditron_operator.core.killswitch.sight import Sight
from meditron_operator.core.killswitch.steps import RELEASE_WINDOW
from meditron_operator.errors import ApiError
from meditron_operator.shell.access import load_access
from meditron_operator.shell.person import reaching

REASON: Final = "drill"
_LOOK_SECONDS: Final = 1.0
_VERBS: Final = ("switch", "release", "resume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """What is to be tried."""

    ticket: str | None
    seconds: float
    """For the stop, and for coming back."""


@dataclass(slots=True)
class Evidence:
    """What came of it; grows as the drill goes on."""

    target: str
    stop: dict[str, Any] = field(default_factory=dict)
    standing: Standing = Standing.NOT_STOPPED
    approved_by: str | None = None
    seconds_to_approval: float | None = None
    seconds_to_return: float | None = None

    @property
    def code(self) -> int:
        """As of a stop; one that did not come back is not done."""
        return NOT_DONE if self.seconds_to_return is None else int(self.standing)

    def wire(self) -> dict[str, Any]:
        return {
            "drill": self.target,
            "stop": self.stop,
            "approvedBy": self.approved_by,
            "secondsToApproval": self.seconds_to_approval,
            "secondsToReturn": self.seconds_to_return,
            "passed": self.code == Standing.PROVEN,
        }


def drill(asked: Asked, exercise: Exercise, tell: Telling, sure: Sure) -> Evidence:
    """Stop it, have it released, resume it, and see it serve again. Raises Failed; afterwards it may be off."""
    target, before = _ready(asked)
    if not sure(f"This stops {target}. No patient may depend on it now, and somebody must be there to approve."):
        raise Failed(BAD_INPUT, "no drill: you did not agree")
    evidence = Evidence(str(target))
    order = Order(mode=Mode.HALT, reason=REASON, ticket=exercise.ticket, seconds=exercise.seconds, wait=True)
    stopped = kill(asked, order, tell)
    evidence.stop, evidence.standing = stop_as_json(stopped, tell), stopped.outcome.standing
    tell.say(f"the stop: {evidence.standing.name.lower().replace('_', ' ')} after {evidence.stop['seconds']:.1f} s")
    try:
        _release(asked, tell, evidence)
        _return(asked, tell, evidence, before, exercise.seconds)
    except Failed as failure:
        raise Failed(failure.code, f"{target} stays off after the drill: {failure}") from None
    except KeyboardInterrupt:
        told = f"interrupted: see whether it stays off: meditron status {target.command}"
        raise Failed(INTERRUPTED, told) from None
    return evidence


def _ready(asked: Asked) -> tuple[Target, Sight]:
    """The deployment, if it serves and who drills may also bring it back. Nothing was stopped yet."""
    found = reading(asked)
    (before,) = found.sights
    if before.off is not None:
        raise Failed(BAD_INPUT, f"no drill: {found.target} is off already: {before.off}")
    if not _serving(before):
        raise Failed(BAD_INPUT, f"no drill: {found.target} does not serve, or you may not look at its pods")
    lacking = asyncio.run(_lacking(asked, found.target))
    if lacking:
        raise Failed(BAD_INPUT, f"no drill: you lack the verbs {', '.join(lacking)}, so it would stay off")
    return found.target, before


async def _lacking(asked: Asked, target: Target) -> list[str]:
    try:
        async with reaching(load_access(asked.context)) as person:
            allowed = await asyncio.gather(*(person.may(verb, target.carrier) for verb in _VERBS))
    except ApiError as error:
        raise failed(error, "no drill") from None
    return [verb for verb, may in zip(_VERBS, allowed, strict=True) if not may]


def _release(asked: Asked, tell: Telling, evidence: Evidence) -> None:
    take(RELEASE, asked, tell, lambda _: True)
    began, window = tell.seconds, RELEASE_WINDOW.total_seconds()
    approved = _until(asked, lambda sight: not isinstance(sight.off, Engaged), window)
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


def _serving(sight: Sight) -> int:
    """Pods that take new connections."""
    return sum(pod.open and pod.grace is None for pod in sight.pods or ())


def _until(asked: Asked, holds: Callable[[Sight], bool], seconds: float) -> Sight | None:
    """The first look at which it holds; an API server that is away is looked at again. None: not in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            (sight,) = reading(asked).sights
            if holds(sight):
                return sight
        except Failed as failure:
            if failure.code != NOT_DONE:
                raise
        if time.monotonic() >= deadline:
            return None
        time.sleep(_LOOK_SECONDS)
