"""The campaign: many deployments at once, one operation each, then all of them at rest and looked at."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from meditron_operator import names
from meditron_operator.core.again import SHORTAGE_SECONDS
from tests.campaign.compare import excuses, unexcused
from tests.campaign.lanes import Answer, Lane
from tests.campaign.oracles import inconsistent
from tests.campaign.sight import NAME, Seen, left_over, look
from tests.cluster.support import Admin, Audit, Request
from tests.testbed.waiting import wait_for

REST_SECONDS: Final = 45.0
"""Until a deployment is at rest after an operation: four replicas may be rolled out one after the other."""
QUIET_SECONDS: Final = 1.0
"""In which nothing is written, once all are at rest."""
LONG_QUIET_SECONDS: Final = 1.0 + SHORTAGE_SECONDS
"""The same, longer than the shortest time after which the operator looks again without being woken."""
GONE_SECONDS: Final = 60.0
MENDS: Final = 2
_LOOK_SECONDS: Final = 0.2
_CONFLICT: Final = 409

Judge = Callable[[Lane, Seen], list[str]]


@dataclass(slots=True)
class Figures:
    """What a campaign comes to."""

    answers: Counter[Answer] = field(default_factory=Counter)
    back: int = 0
    fresh: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    """How often each was set or taken away, by its path."""
    slowest_seconds: float = 0.0

    @property
    def operations(self) -> int:
        return self.answers.total()

    def __str__(self) -> str:
        answers = ", ".join(f"{self.answers[answer]} {answer}" for answer in Answer)
        phases = ", ".join(f"{phase} {count}" for phase, count in self.phases.most_common())
        return (
            f"{self.operations} operations on {len(self.fields)} fields: {answers}; {self.back} took back what did not "
            f"serve; {self.fresh} ends compared with a fresh deployment; all at rest within "
            f"{self.slowest_seconds:.1f} s; at rest as: {phases}"
        )


@dataclass(slots=True)
class Campaign:
    """Runs lanes, and keeps what it finds. A lane about which something was found goes no further."""

    admin: Admin
    audit: Audit
    figures: Figures = field(default_factory=Figures)
    findings: list[str] = field(default_factory=list)

    def run(self, lanes: Sequence[Lane], length: int) -> None:
        """From their creation, by `length` operations each, until nothing of them is left."""
        for lane in lanes:
            lane.create(self.admin)
        going = self._judge(lanes, _began)
        for _ in range(length):
            for lane in going:
                self._operate(lane)
            going = self._judge(going, _operated)
            self.figures.phases.update(lane.seen.phase for lane in going if lane.seen)
        going = self._compare_with_fresh(self._mended(going))
        for lane in going:
            lane.send(self.admin, lane.start)
        self._judge(self._mended(self._judge(going, _operated)), _is_as_first)
        self._delete()

    def _mended(self, lanes: Sequence[Lane]) -> list[Lane]:
        """Once everything is done that the status asks for; one thing may lead to another."""
        lanes = list(lanes)
        for _ in range(MENDS):
            asked = [lane for lane in lanes if lane.mend(self.admin)]
            if asked:
                lanes = self._judge(lanes, _operated)
        return lanes

    def _operate(self, lane: Lane) -> None:
        change, answer = lane.act(self.admin)
        self.figures.answers[answer] += 1
        if change is None:
            self.figures.back += 1
        else:
            self.figures.fields.update(".".join(path) for path, _ in change.fields)

    def _judge(self, lanes: Iterable[Lane], judge: Judge) -> list[Lane]:
        """Wait until all are at rest and look at them; those about which there is nothing to say."""
        lanes = list(lanes)
        seen, found = self._rest([lane.namespace for lane in lanes])
        for lane in lanes:
            at_rest = seen[lane.namespace]
            if lane.namespace not in found and (problems := judge(lane, at_rest)):
                found[lane.namespace] = problems
            lane.settled(at_rest)
        return self._without(lanes, found)

    def _without(self, lanes: Iterable[Lane], found: Mapping[str, list[str]]) -> list[Lane]:
        """The lanes about which nothing was found; of the others the story is kept."""
        lanes = list(lanes)
        for lane in lanes:
            if lane.namespace in found:
                self.findings.append(
                    "\n  ".join([lane.namespace, *lane.told, *(f"! {each}" for each in found[lane.namespace])])
                )
        return [lane for lane in lanes if lane.namespace not in found]

    def _compare_with_fresh(self, lanes: Sequence[Lane]) -> list[Lane]:
        """The same spec without the way to it ends in the same children and the same status."""
        for lane in lanes:
            lane.create_fresh(self.admin)
        both = [namespace for lane in lanes for namespace in (lane.namespace, lane.fresh)]
        seen, restless = self._rest(both, quiet_seconds=LONG_QUIET_SECONDS)
        found = {}
        for lane in lanes:
            problems = restless.get(lane.namespace, []) + restless.get(lane.fresh, [])
            if problems := problems or _unlike(seen[lane.namespace], seen[lane.fresh]):
                found[lane.namespace] = problems
        self.figures.fresh += len(lanes)
        return self._without(lanes, found)

    def _rest(
        self, namespaces: Sequence[str], quiet_seconds: float = QUIET_SECONDS
    ) -> tuple[dict[str, Seen], dict[str, list[str]]]:
        """All of them, once each is at rest and nothing is written for a while; and what is wrong with those that
        don't come to rest."""
        began, since = time.monotonic(), self.audit.mark()
        while True:
            quiet = self.audit.mark()
            seen = look(self.admin)
            restless = {each: ["does not come to rest"] for each in namespaces if not seen[each].at_rest}
            if not restless:
                time.sleep(quiet_seconds)
                writes = self._told(self.audit.since(quiet), namespaces)
                restless = {
                    each: [f"is at rest, and is written on: {', '.join(told)}"] for each, told in writes.items()
                }
            seconds = time.monotonic() - began
            if not restless or seconds > REST_SECONDS:
                break
            time.sleep(_LOOK_SECONDS)
        self.figures.slowest_seconds = max(self.figures.slowest_seconds, seconds)
        refused = [each for each in self.audit.since(since) if each.code >= 400 and each.code != _CONFLICT]
        for namespace, told in self._told(refused, namespaces).items():
            restless.setdefault(namespace, []).append(f"the server refused {', '.join(told)}")
        return seen, restless

    def _told(self, requests: Iterable[Request], namespaces: Iterable[str]) -> dict[str, list[str]]:
        """Writes by namespace."""
        ours, told = set(namespaces), dict[str, list[str]]()
        for request in requests:
            if request.writes and request.namespace in ours:
                words = f"{request.verb} {request.resource} {request.name} ({request.code})"
                told.setdefault(request.namespace, []).append(words)
        return told

    def _delete(self) -> None:
        """Everything, with whatever belongs to it."""
        for namespace in look(self.admin):
            self.admin.delete(names.KIND, namespace, NAME)
        wait_for("nothing to be left", lambda: not left_over(self.admin), GONE_SECONDS)


def _began(lane: Lane, seen: Seen) -> list[str]:
    lane.first = seen
    return inconsistent(None, seen) if seen.serves else [f"begins as {seen.phase}"]


def _operated(lane: Lane, seen: Seen) -> list[str]:
    found = inconsistent(lane.seen, seen)
    if lane.back and lane.good is not None and not _elsewhere(seen, lane.good[1]):
        found += [f"is not as it was: {each}" for each in _differences(seen, lane.good[1])]
    return found


def _unlike(seen: Seen, fresh: Seen) -> list[str]:
    allowed = excuses(seen, fresh, stayed=True)
    return [f"is not like a fresh one: {each}" for each in unexcused(seen.state, fresh.state, allowed)]


def _is_as_first(lane: Lane, seen: Seen) -> list[str]:
    assert lane.first is not None
    return [f"is not as at first: {each}" for each in _differences(seen, lane.first)]


def _elsewhere(seen: Seen, before: Seen) -> bool:
    """Whether auto stays on the card of the spec in between: nothing is as it was then, until a person asks for it."""
    return seen.on_another_card or before.on_another_card


def _differences(seen: Seen, before: Seen) -> list[str]:
    return unexcused(seen.state, before.state, excuses(seen, before, stayed=False))
