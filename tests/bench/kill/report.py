"""The figures against the goals, as Markdown."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.kill.node import Figure
from tests.bench.kill.scenes import PAUSE_SECONDS, RHYTHM_SECONDS, WARD, Series, percentile
from tests.bench.kill.simulated import PLAIN, Simulated

RATIO: Final = 40
FILE: Final = Path(__file__).with_name("RESULTS.md")
_HEAD: Final = """\
# The kill switch, measured

Made by `make bench-kill` on {date}: {cpus} processors ({machine}), everything on one machine: etcd, API server,
controllers, scheduler, operator, two guards, and who measures. {ward} deployments in each namespace. Milliseconds from
the moment before a person's PATCH is sent to the moment at which a watch of our own shows the StatefulSet at 0; in
brackets the clients' policy gone, which is what ends their streams where a network plugin enforces policies. The guard
ends pods before it scales, so that they get a grace of one second and not the StatefulSet's. Idle stops are {pause:g} s
apart: what follows one (proof, status, record) must not count as the next one's. In a storm a stop comes every
{rhythm:g} s, from when its first deployment is created until the last one has its StatefulSet; none waits for the one
before.

| who stops | situation | stops | median | p99 | worst | goal (p99) |
|---|---|---|---|---|---|---|
"""


_NODE_HEAD: Final = """
## On a real node

Real kubelet, containerd and network plugin; the operator and two guards in pods from their image, installed by Helm.
The engine is a double that ignores SIGTERM; streams and connections are those of client pods. Seconds from the moment
before the PATCH. The two commands are those of docs/kill-switch.md, while no process of ours runs.

| network plugin | who stops | until | stops | median | p99 | worst | goal (p99) |
|---|---|---|---|---|---|---|---|
"""
_PEER: Final = """
For comparison, the best peer (KServe 0.16.0, its stop annotation), measured on a real node in November 2026: last byte
at the client 30.1 s after the stop, and "Stopped" claimed 30 s too early.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """A series, and what its p99 must not exceed, in milliseconds."""

    series: Series
    goal: float | None = None

    @property
    def missed(self) -> bool:
        return self.goal is not None and percentile(self.series.zero, 99) * 1000 > self.goal


def report(found: Simulated, figures: Sequence[Figure]) -> tuple[str, list[str]]:
    """The page, and what was missed."""
    date, storm = datetime.now(UTC).date(), found.storm
    head = _HEAD.format(
        date=date,
        cpus=os.cpu_count(),
        machine=platform.machine(),
        ward=WARD,
        pause=PAUSE_SECONDS,
        rhythm=RHYTHM_SECONDS,
    )
    ratio = percentile(found.plain_storm.zero, 50) / percentile(storm.zero, 50)
    last = f"\n{storm.when.capitalize()}, the guard is {ratio:.0f} times as fast as a {PLAIN}"
    last += f" (medians; goal {RATIO}).\n"
    results = [
        Result(found.idle, 30),
        Result(found.hung, 30),
        Result(storm, 200),
        Result(found.large_storm),
        Result(found.plain_idle),
        Result(found.plain_storm),
    ]
    missed = [f"{each.series.who}, {each.series.when}: p99 above {each.goal:.0f} ms" for each in results if each.missed]
    if ratio < RATIO:
        missed.append(f"the guard is only {ratio:.0f} times as fast as a {PLAIN}")
    missed += [f"{each.plugin}, {each.who}, {each.what}: p99 above {each.goal} s" for each in figures if each.missed]
    return head + "".join(map(_row, results)) + last + _NODE_HEAD + "".join(map(_node_row, figures)) + _PEER, missed


def _row(result: Result) -> str:
    series = result.series
    figures = [_figure(measure, series) for measure in (_median, _p99, max)]
    goal = "" if result.goal is None else f"{result.goal:.0f}"
    return "| " + " | ".join([series.who, series.when, str(len(series.zero)), *figures, goal]) + " |\n"


def _node_row(figure: Figure) -> str:
    seconds = [f"{measure(figure.seconds):.2f}" for measure in (_median, _p99, max)]
    goal = "" if figure.goal is None else f"{figure.goal:g}"
    cells = [figure.plugin, figure.who, figure.what, str(len(figure.seconds)), *seconds, goal]
    return "| " + " | ".join(cells) + " |\n"


def _figure(measure: Callable[[Sequence[float]], float], series: Series) -> str:
    cut = f" ({measure(series.cut) * 1000:.0f})" if series.cut else ""
    return f"{measure(series.zero) * 1000:.0f}{cut}"


def _median(seconds: Sequence[float]) -> float:
    return percentile(seconds, 50)


def _p99(seconds: Sequence[float]) -> float:
    return percentile(seconds, 99)
