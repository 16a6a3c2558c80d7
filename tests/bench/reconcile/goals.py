"""The goals, and how each is read off the figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.reconcile.figures import Figures

All = Mapping[str, Figures]
"""The figures of each contender by its name."""

CHILDREN: Final = 7
_KIB_OF_A_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table."""

    row: str
    words: str
    value: Callable[[All], float]
    most: float


@dataclass(frozen=True, slots=True)
class Score:
    """A goal, and what came of it."""

    goal: Goal
    value: float

    @property
    def missed(self) -> bool:
        return self.value > self.goal.most


def scores(found: All, sizes: Sequence[int]) -> list[Score]:
    """Every goal, those of P1 and P2 for each size."""
    goals = [goal for index, size in enumerate(sizes) for goal in _of_burst(index, size)]
    return [Score(goal, goal.value(found)) for goal in (*sorted(goals, key=lambda goal: goal.row), *_OTHERS)]


def _of_burst(index: int, size: int) -> Iterator[Goal]:
    def wall(found: All, name: str) -> float:
        return found[name].bursts[index].wall_seconds

    def cpu(found: All, name: str) -> float:
        return found[name].bursts[index].cpu_ms_each

    def server(found: All, name: str) -> float:
        return found[name].bursts[index].server_cpu_ms_each

    def median(found: All) -> float:
        return found["ours"].bursts[index].median_seconds

    yield Goal("P1", f"{size}: time to the last child, of GO's", lambda a: wall(a, "ours") / wall(a, "GO"), 1.0)
    yield Goal("P1", f"{size}: median of a deployment, of that time", lambda a: median(a) / wall(a, "ours"), 0.4)
    yield Goal("P1", f"{size}: operator's CPU, of GO's", lambda a: cpu(a, "ours") / cpu(a, "GO"), 1.0)
    yield Goal("P1", f"{size}: operator's CPU, of B0's", lambda a: cpu(a, "ours") / cpu(a, "B0"), 0.25)
    yield Goal("P1", f"{size}: API server's CPU, of GO's", lambda a: server(a, "ours") / server(a, "GO"), 0.95)
    yield Goal("P2", f"{size}: writes of a deployment", lambda a: a["ours"].bursts[index].writes_each, CHILDREN + 1)


_OTHERS: Final = (
    Goal("P3", "writes of a restart", lambda a: a["ours"].restart.writes, 0),
    Goal("P3", "writes after a foreign annotation", lambda a: a["ours"].unrelated_writes, 0),
    Goal("P4", "restart, of the time to list", lambda a: a["ours"].restart.seconds / a["ours"].restart.list_seconds, 3),
    Goal("P5", "MiB idle", lambda a: a["ours"].idle_mib, 75),
    Goal("P5", "MiB with all deployments", lambda a: a["ours"].full_mib, 150),
    Goal("P5", "KiB for each deployment", lambda a: _kib_each(a["ours"]), 40),
    Goal("P6", "one deployment, in round trips", lambda a: a["ours"].single_ms / a["ours"].trip_ms, 2.5),
    Goal("P7", "a repair, in round trips", lambda a: (a["ours"].repair_ms or 0) / a["ours"].trip_ms, 3),
)


def _kib_each(figures: Figures) -> float:
    return (figures.full_mib - figures.idle_mib) * _KIB_OF_A_MIB / figures.count
