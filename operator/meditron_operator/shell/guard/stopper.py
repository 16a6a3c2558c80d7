"""Stops deployments. Two lanes for each: one acts on what is known, at once; one looks, proves and tells."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from meditron_operator.core.guard.actions import Plan, letting_go, plan
from meditron_operator.core.guard.carriers import Target
from meditron_operator.core.guard.course import (
    Moments,
    Stop,
    advanced,
    begun,
    continued,
    drain_ends,
    has_drained,
    resumed,
    rfc3339,
)
from meditron_operator.core.guard.idle import LOOKS
from meditron_operator.core.guard.proof import Evidence, Findings, find
from meditron_operator.core.guard.seen import Seen
from meditron_operator.core.killswitch import (
    Engaged,
    Measures,
    Mode,
    Off,
    SwitchState,
    SwitchStatus,
    UnconfirmedPod,
    measures,
    mode_of,
)
from meditron_operator.errors import ApiError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.guard.courses import Course
from meditron_operator.shell.guard.hands import Hands
from meditron_operator.shell.guard.known import CarrierKey, Known, key_of
from meditron_operator.shell.guard.lanes import Lanes
from meditron_operator.shell.guard.looker import Looker
from meditron_operator.shell.guard.metrics import GuardMetrics
from meditron_operator.shell.guard.teller import Teller
from meditron_operator.shell.store import ObjectKey

SECOND_ACTS_SECONDS: Final = 0.2  # after it saw a stop, the guard that goes second: by then nothing is left to do
SECOND_PROVES_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 0.1  # after something was done: did anything slip in meanwhile?
FIRST_LOOK_SECONDS: Final = 0.25  # after the first requests; sooner when every pod is known to be gone
LOOK_SECONDS: Final = 1.0  # while something is left; events come sooner
RESYNC_SECONDS: Final = 60.0  # a proven stop is proven anew, by the guard that goes first
LOST_SECONDS: Final = 5.0  # while only a person can help


@dataclass(frozen=True, slots=True)
class Tools:
    """What a stopper works with."""

    known: Known
    teller: Teller
    looker: Looker
    hands: Hands
    metrics: GuardMetrics
    goes_second: Callable[[], bool]  # another guard is at work: what it does need not be done twice


class Stopper:
    """What is engaged is taken down and proven; what is not is left alone."""

    def __init__(self, tools: Tools, now: Callable[[], datetime], chance: Chance) -> None:
        self._known, self._looker, self._hands = tools.known, tools.looker, tools.hands
        self._teller, self._metrics = tools.teller, tools.metrics
        self._goes_second = tools.goes_second
        self._now = now
        self._clock = chance.clock
        self._courses: dict[ObjectKey, Course] = {}
        self.records: dict[CarrierKey, str] = {}  # of the stops in force, put here by who keeps them
        self.acts = Lanes(self._act, chance, tools.metrics.failed)
        self.proofs = Lanes(self._prove, chance, tools.metrics.failed)

    def consider(self, key: ObjectKey) -> None:
        """Something happened to a deployment: to most of them nothing that is ours."""
        target = self._known.targets.get(key)
        if target is None:
            self._forget(key)
        elif (off := self._known.off(target)) is not None:
            self._course(target, off)  # from now on it has been seen
            self.acts.wake(key)
        elif target.told is not None and not _has_resumed(target):
            self.proofs.wake(key)

    def has_sent(self, key: ObjectKey) -> bool:
        """Whether the first requests of its stop are out, or none are due."""
        course = self._courses.get(key)
        return course is None or course.sent

    async def _act(self, key: ObjectKey) -> float | None:
        """Send what is due by what is known. Never waits for a look."""
        target = self._known.targets.get(key)
        off = self._known.off(target) if target else None
        if target is None or off is None:
            self.proofs.wake(key)
            return None
        course, stop = self._course(target, off), self._stop(target, off)
        if (rest := self._behind(course, SECOND_ACTS_SECONDS)) > 0:
            return rest
        seen = self._known.seen(target)
        due = self._measures(course, stop, target, seen)
        self._metrics.engaged(key, course.mode)
        course.pods |= {pod.uid: pod for pod in seen.pods}
        step = plan(due, seen).without(course.done)
        if step.actions:
            course.proven = None  # something came back: the proof is worth nothing any more
            course.look_after = self._clock() + FIRST_LOOK_SECONDS
        errors = await self._hands.carry_out(step, course.done)
        final = due.cut or course.mode is Mode.HOLD  # a drain that waits has cut nothing yet
        self._note(course, cut=final and bool(step.traffic) and not errors, gone=due.cut and _has_gone(course, seen))
        course.sent = True
        self.proofs.wake(key)
        _raise_first(errors)
        return None

    async def _prove(self, key: ObjectKey) -> float | None:
        """Look, finish what is left, and tell what the look came to."""
        target = self._known.targets.get(key)
        if target is None:
            return None
        off = self._known.off(target)
        if off is None:
            return await self._let_run(target)
        course, stop = self._course(target, off), self._stop(target, off)
        if (rest := self._behind(course, SECOND_PROVES_SECONDS)) > 0:
            return rest
        if course.engaged and continued(stop, target.status) is None:
            await self._teller.tell(target, begun(stop, target.status))
            target = self._known.targets.get(key) or target
        if (rest := self._rest(target, course, stop)) > 0:
            return rest
        seen = await self._looker.look(target, self._known.seen(target))
        course.look_after = self._clock() + LOOK_SECONDS
        due = self._measures(course, stop, target, seen)
        course.pods |= {pod.uid: pod for pod in seen.pods}
        step = plan(due, seen)
        final = due.cut or course.mode is Mode.HOLD
        self._note(course, cut=final and not step.traffic, gone=due.cut and not seen.pods)
        errors = await self._hands.carry_out(step, course.done)
        findings = await self._findings(target, course, due, seen)
        if self._courses.get(key) is not course:
            return 0.0  # it is another stop by now
        told = await self._report(target, stop, course, findings)
        _raise_first(errors)
        return self._next_look(told, step, course, stop, findings)

    def _behind(self, course: Course, seconds: float) -> float:
        """How long the guard that goes first has before this one does the same."""
        return course.began + seconds - self._clock() if self._goes_second() else 0.0

    def _rest(self, target: Target, course: Course, stop: Stop) -> float:
        """Seconds until a look makes sense: the last proof still counts, pods are known to be there still, or a drain
        waits, whose looks tell something only when there is time between them."""
        due = self._measures(course, stop, target, seen := self._known.seen(target))
        if course.proven == stop and not plan(due, seen).without(course.done).actions:
            rest = course.proven_until - self._clock()
            return RESYNC_SECONDS if rest <= 0 and self._goes_second() else rest
        waits = seen.pods if due.cut else course.mode is Mode.DRAIN
        return course.look_after - self._clock() if waits else 0.0

    async def _findings(self, target: Target, course: Course, due: Measures, seen: Seen) -> Findings:
        stored = target.status
        gone = [pod for pod in course.pods.values() if pod.uid not in {each.uid for each in seen.pods}]
        before = [
            *(stored.unconfirmed_pods if stored else ()),
            *(UnconfirmedPod(name=pod.ref.name, uid=pod.uid, node=pod.node) for pod in gone if pod.node),
        ]
        waits = await self._waits_until(target, course, due, seen)
        places = {pod.node for pod in seen.pods} | {pod.node for pod in before}
        nodes = await self._looker.nodes(places) if due.cut else {}
        findings = find(due, seen, Evidence(nodes=nodes), before, waits)
        if findings.left:
            return findings
        evidence = await self._looker.evidence(target, course.pods.values(), seen, due.cut)
        return find(due, seen, Evidence(endpoints=evidence.endpoints, answers=evidence.answers, nodes=nodes), before)

    async def _waits_until(self, target: Target, course: Course, due: Measures, seen: Seen) -> str:
        """When a drain cuts at the latest; empty when it is not waiting. Asks the engines whether it may sooner."""
        if course.mode is not Mode.DRAIN or due.cut:
            return ""
        course.idle_looks = course.idle_looks + 1 if await self._looker.are_idle(seen.pods) else 0
        if course.idle_looks >= LOOKS:
            self._drained(target, course)
        off = self._known.off(target)
        return drain_ends(self._stop(target, off), target) if off else ""

    def _drained(self, target: Target, course: Course) -> None:
        course.drained = True
        self.acts.wake(target.key)

    async def _report(self, target: Target, stop: Stop, course: Course, findings: Findings) -> SwitchStatus:
        if findings.open:
            course.moments = replace(course.moments, traffic_cut_at=None)
        if findings.pods:
            course.moments = replace(course.moments, pods_gone_at=None)
        status = advanced(begun(stop, target.status), findings, course.moments, rfc3339(self._now()))
        self._metrics.unconfirmed(target.key, len(findings.unconfirmed))
        if not await self._teller.tell(target, status):
            return begun(stop, None)  # somebody else wrote meanwhile
        if findings.proven:
            course.proven, course.proven_until = stop, self._clock() + RESYNC_SECONDS
            course.done.clear()
            course.pods.clear()
        return status

    def _note(self, course: Course, *, cut: bool, gone: bool) -> None:
        """When something was seen first: a proof comes a second later."""
        now, was = rfc3339(self._now()), course.moments
        course.moments = Moments(
            traffic_cut_at=was.traffic_cut_at or (now if cut else None),
            pods_gone_at=was.pods_gone_at or (now if gone else None),
        )

    def _next_look(self, told: SwitchStatus, step: Plan, course: Course, stop: Stop, findings: Findings) -> float:
        if step.actions or (findings.proven and course.proven != stop):
            return AGAIN_SECONDS
        if findings.proven:
            return RESYNC_SECONDS
        return LOST_SECONDS if told.state is SwitchState.ENGAGED_UNVERIFIED else LOOK_SECONDS

    async def _let_run(self, target: Target) -> float | None:
        """Nothing keeps it off any more: let go of what was paused, and say so once."""
        if not self._known.synced:
            return LOOK_SECONDS
        self._forget(target.key)
        stored = target.status
        if stored is None or stored.state is SwitchState.RESUMED:
            return None
        for step in letting_go(await self._looker.scalers(target)):
            _raise_first(await self._hands.carry_out(Plan(rest=(step,)), set()))
        return None if await self._teller.tell(target, resumed(stored)) else AGAIN_SECONDS

    def _measures(self, course: Course, stop: Stop, target: Target, seen: Seen) -> Measures:
        draining = course.mode is Mode.DRAIN and not course.drained
        if draining and has_drained(stop, target, seen, rfc3339(self._now())):
            self._drained(target, course)
        return measures(stop.off, course.mode, drained=course.drained)

    def _course(self, target: Target, off: Off) -> Course:
        """The course of this stop: a new one when it is another stop than before."""
        mode = mode_of(off, told.mode if (told := target.status) else None)
        engaged, course = isinstance(off, Engaged), self._courses.get(target.key)
        if course is None or course.mode is not mode or (engaged and not course.engaged):
            course = self._courses[target.key] = Course(mode, engaged, rfc3339(self._now()), self._clock())
        course.engaged = engaged
        return course

    def _stop(self, target: Target, off: Off) -> Stop:
        course, carrier = self._courses[target.key], self._known.carrier(off.scope, target)
        return Stop(
            off=off,
            mode=course.mode,
            annotations=carrier.annotations if carrier else {},
            admitted_at=carrier.admitted_at if carrier else None,
            seen_at=course.seen_at,
            record=self.records.get(key_of(carrier), "") if carrier else "",
        )

    def _forget(self, key: ObjectKey) -> None:
        self._courses.pop(key, None)
        self._metrics.forget(key)


def _has_resumed(target: Target) -> bool:
    status = target.status
    return status is None or status.state is SwitchState.RESUMED


def _has_gone(course: Course, seen: Seen) -> bool:
    """Whether there were pods and are none any more, by what is known."""
    return bool(course.pods) and not seen.pods


def _raise_first(errors: list[ApiError]) -> None:
    if errors:
        raise errors[0]
