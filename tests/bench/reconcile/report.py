"""The figures against the goals, as Markdown."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.reconcile.scenes import Figures

FILE: Final = Path(__file__).parent.parent / "RESULTS.md"
CHILDREN: Final = 7
MIB: Final = 1024

_HEAD: Final = """\
# Reconciling, measured

Made by `make bench` on {date}: {cpus} processors ({machine}), everything on one machine: etcd, API server, controllers,
scheduler, the operator, and who measures. {count} deployments with {children} children each (StatefulSet at 0 replicas)
are created at once; each contender has a testbed of its own, in the same run. CPU, requests and
writes are those of one deployment. Compare the ratios, not the times.

| | what | wall s | median s | CPU ms | API server's CPU ms | requests | writes | MiB idle | MiB full |
|---|---|---|---|---|---|---|---|---|---|
"""
_MORE: Final = """
| | writes of a restart | caught up s | CPU s | reading s | one, round trips | repair, round trips | round trip ms |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Goal:
    """One of the goals of the design, and how it is read off."""

    name: str
    words: str
    value: Callable[[Mapping[str, Figures]], float]
    most: float


GOALS: Final = (
    Goal("P1", "wall, of GO's", lambda all_: all_["ours"].wall_seconds / all_["GO"].wall_seconds, 1.0),
    Goal("P1", "median, of the wall", lambda all_: all_["ours"].median_seconds / all_["ours"].wall_seconds, 0.4),
    Goal("P1", "CPU, of GO's", lambda all_: all_["ours"].cpu_ms_each / all_["GO"].cpu_ms_each, 1.0),
    Goal("P1", "CPU, of B0's", lambda all_: all_["ours"].cpu_ms_each / all_["B0"].cpu_ms_each, 0.25),
    Goal("P1", "API server's CPU, of GO's", lambda a: a["ours"].server_cpu_ms_each / a["GO"].server_cpu_ms_each, 0.95),
    Goal("P2", "writes of each deployment", lambda all_: all_["ours"].writes_each, CHILDREN + 1.05),
    Goal("P3", "writes of a restart", lambda all_: all_["ours"].restart_writes, 0),
    Goal("P4", "caught up, of reading", lambda all_: all_["ours"].restart_seconds / all_["ours"].list_seconds, 3),
    Goal("P5", "MiB idle", lambda all_: all_["ours"].idle_mib, 75),
    Goal("P5", "KiB of each deployment", lambda all_: _kib_each(all_["ours"]), 40),
    Goal("P6", "round trips of one deployment", lambda all_: all_["ours"].single_trips, 2.5),
    Goal("P7", "round trips of a repair", lambda all_: all_["ours"].drift_trips or 0, 3),
)


def report(found: Sequence[Figures]) -> tuple[str, list[str]]:
    """The page, and what was missed."""
    by_name = {each.name: each for each in found}
    date, count = datetime.now(UTC).date(), found[0].count
    head = _HEAD.format(date=date, cpus=os.cpu_count(), machine=platform.machine(), count=count, children=CHILDREN)
    rows = [(goal, goal.value(by_name)) for goal in GOALS]
    goals = "".join(
        f"| {goal.name} | {goal.words} | {value:.2f} | {goal.most:g} | {'yes' if value <= goal.most else 'no'} |\n"
        for goal, value in rows
    )
    missed = [
        f"{goal.name}, {goal.words}: {value:.2f} (at most {goal.most:g})" for goal, value in rows if value > goal.most
    ]
    page = head + "".join(map(_row, found)) + _MORE + "".join(map(_second_row, found))
    return f"{page}\n| goal | of ours | measured | at most | reached |\n|---|---|---|---|---|\n{goals}", missed


def _kib_each(figures: Figures) -> float:
    return (figures.full_mib - figures.idle_mib) * MIB / figures.count


def _row(each: Figures) -> str:
    numbers = (each.wall_seconds, each.median_seconds, each.cpu_ms_each, each.server_cpu_ms_each, each.requests_each)
    more = (each.writes_each, each.idle_mib, each.full_mib)
    return f"| {each.name} | {each.what} | " + " | ".join(f"{number:.1f}" for number in (*numbers, *more)) + " |\n"


def _second_row(each: Figures) -> str:
    drift = "none" if each.drift_trips is None else f"{each.drift_trips:.1f}"
    seconds = f"{each.restart_seconds:.1f} | {each.restart_cpu_seconds:.1f} | {each.list_seconds:.2f}"
    trips = f"{each.single_trips:.1f} | {drift} | {each.trip_ms:.0f}"
    return f"| {each.name} | {each.restart_writes} | {seconds} | {trips} |\n"
