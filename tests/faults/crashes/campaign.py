"""The campaign: a clean run of each round tells its writes, and then each of them is a crash, on either side."""

import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

from tests.faults.crashes.ends import End, differences
from tests.faults.crashes.lane import Lane, lane
from tests.faults.crashes.points import AT_ONCE, Point, points
from tests.faults.crashes.rounds import ROUNDS, Round, Step, Ward
from tests.faults.crashes.starts import PodStarts
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE, SERVICE_ACCOUNT

LANES: Final = 6
PORTION: Final = 16
"""Points of each step that one lane takes in one namespace."""
CLEAN_RUNS: Final = 3
TRIES: Final = 24
"""How often a point is waited for: a write that follows from a conflict is not there in each run."""


@dataclass(frozen=True, slots=True)
class Clean:
    """A step without a crash: what all of its clean runs wrote, and came to."""

    points: tuple[Point, ...]
    end: End


@dataclass(frozen=True, slots=True)
class Crash:
    """A step with a crash at a point; with None where it only led to the next step."""

    step: str
    point: Point | None
    reached: bool = True
    differences: tuple[str, ...] = ()

    @property
    def survived(self) -> bool:
        return self.reached and not self.differences

    def __str__(self) -> str:
        what = "; ".join(self.differences) or ("the same" if self.reached else "never came")
        return f"{self.step}, {self.point or 'no crash'}: {what}"


CleanRun = Mapping[str, Clean]
"""By the name of the step."""
Due = Mapping[str, Sequence[Point]]


class Waiting:
    """The points that are still to be crashed at."""

    def __init__(self, due: Due) -> None:
        self._points = {step: deque(points) for step, points in due.items()}
        self._tries: Counter[tuple[str, Point]] = Counter()

    def __bool__(self) -> bool:
        return any(self._points.values())

    def next_of(self, step: str) -> Point | None:
        points = self._points.get(step)
        return points.popleft() if points else None

    def is_put_off(self, crash: Crash) -> bool:
        """Whether a point that did not come is waited for again."""
        if crash.reached or crash.point is None:
            return False
        self._tries[crash.step, crash.point] += 1
        if self._tries[crash.step, crash.point] == TRIES:
            return False
        self._points[crash.step].append(crash.point)
        return True


class Campaign:
    """Crashes on several lanes at once."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._count = len(lanes)
        self._free: SimpleQueue[Lane] = SimpleQueue()
        for each in lanes:
            self._free.put(each)
        self._numbers = itertools.count()

    def run(self) -> list[Crash]:
        """Every point of every round."""
        with ThreadPoolExecutor(self._count) as pool:
            known = zip(ROUNDS, pool.map(self._clean_run, ROUNDS), strict=True)
            portions = [(round_, clean, due) for round_, clean in known for due in portioned(clean)]
            return [crash for found in pool.map(lambda portion: self._crashes(*portion), portions) for crash in found]

    @contextmanager
    def _ward(self, round_: Round) -> Iterator[tuple[Lane, Ward]]:
        """A fresh namespace, and a lane in it, ready for the first step."""
        one = self._free.get()
        try:
            with one.ward(f"crashes-{round_.name}-{next(self._numbers)}") as ward:
                round_.prepare(ward)
                one.come_to_rest(ward)
                yield one, ward
        finally:
            self._free.put(one)

    def _clean_run(self, round_: Round) -> CleanRun:
        runs: dict[str, list[tuple[list[Point], End]]] = defaultdict(list)
        with self._ward(round_) as (one, ward):
            for _, step in itertools.product(range(CLEAN_RUNS), round_.steps):
                outcome = one.take(ward, step)
                runs[step.name].append((points(outcome.calls, ward.namespace), outcome.end))
        return {step.name: _common(step, runs[step.name]) for step in round_.steps}

    def _crashes(self, round_: Round, clean: CleanRun, due: Due) -> list[Crash]:
        waiting, found = Waiting(due), list[Crash]()
        while waiting:
            with self._ward(round_) as (one, ward):
                found += _gone_round(one, ward, round_, clean, waiting)
        return found


def _gone_round(one: Lane, ward: Ward, round_: Round, clean: CleanRun, waiting: Waiting) -> Iterator[Crash]:
    """Until no point is left, or until an end is another one: what follows would begin elsewhere."""
    while waiting:
        for step in round_.steps:
            point = waiting.next_of(step.name)
            outcome = one.take(ward, step, point, clean[step.name].end)
            crash = Crash(step.name, point, outcome.reached, outcome.differences)
            if not waiting.is_put_off(crash):
                yield crash
            if crash.differences:
                return


def _common(step: Step, runs: Sequence[tuple[Sequence[Point], End]]) -> Clean:
    """What all clean runs wrote is sure to come. Raises AssertionError when they came to different ends."""
    (first, end), *others = runs
    for points_, other in others:
        assert not (unlike := differences(end, other)), f"{step.name}, two clean runs: {unlike}"
        first = [point for point in first if point in points_]
    return Clean(tuple(first or [AT_ONCE]) if step.crashes else (), end)


def portioned(clean: CleanRun) -> Iterator[Due]:
    """The points of all steps, in portions for one namespace."""
    most = max(len(each.points) for each in clean.values())
    for begin in range(0, most, PORTION):
        yield {name: each.points[begin : begin + PORTION] for name, each in clean.items()}


@contextmanager
def campaign(bed: Testbed) -> Iterator[Campaign]:
    """On a testbed whose own operator is stopped."""
    rights = bed.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
    starts = PodStarts(bed.kubeconfig)
    with ExitStack() as stack:
        stack.enter_context(starts.watching())
        yield Campaign(
            [
                stack.enter_context(
                    lane(number, (bed.kubeconfig, rights), starts, bed.logs / f"operator-lane-{number}.log")
                )
                for number in range(LANES)
            ]
        )
