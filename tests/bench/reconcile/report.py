"""The figures against the goals, as Markdown."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.reconcile.contenders import ALL
from tests.bench.reconcile.figures import Figures
from tests.bench.reconcile.goals import CHILDREN, All, Score

FILE: Final = Path(__file__).parent.parent / "RESULTS.md"
PLOT: Final = FILE.with_name("results.svg")

_HEAD: Final = """\
# Reconciling, measured

Made by `make bench` on {date}: {cpus} processors ({machine}), everything on one machine: etcd, API server, controllers,
scheduler, the operator that is measured, and who measures. Medians of {rounds} rounds; in a round each contender has a
testbed of its own, one after the other. {sizes} deployments with {children} children each (the StatefulSet at 0
replicas) are created at once, by eight people; after that the operator is started again, and the rest is measured with
all {count} there. Absolute times are this machine's: compare within a table.

![The same figures as bars, one panel for each row of the goals]({plot})

- GO: {GO}
- ours: {ours}
- B1: {B1}
- B0: {B0}

All make the same children. GO, B1 and B0 are in `tests/bench/baselines`; they do much less: no sizing, no look at nodes
and pods, no conditions, and B0 and B1 do not watch their children.

## Goals

| row | what | ours | at most | reached |
|---|---|---|---|---|
"""
_BURST: Final = """
## {size} deployments at once

| | last child s | median of a deployment s | operator's CPU ms | API server's CPU ms | requests | writes | Events |
|---|---|---|---|---|---|---|---|
"""
_REST: Final = """
CPU, requests, writes and Events are those of one deployment.

## With all {count} there

Restart: from the operator's start until it uses the processor no more; listing: reading and parsing the same objects,
one kind after the other. A foreign annotation is set on {unrelated} deployments. A round trip is the creation of one
child by who measures: the mean of a deployment's seven, one after the other.

| | writes of a restart | restart s | its CPU s | listing s | writes after a foreign annotation | MiB idle | MiB | one deployment ms | a repair ms | round trip ms |
|---|---|---|---|---|---|---|---|---|---|---|
"""  # noqa: E501 - a table's head is one line


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What was asked for."""

    sizes: Sequence[int]
    rounds: int
    unrelated: int


def report(found: All, scores: Sequence[Score], setting: Setting) -> str:
    """The page."""
    count = sum(setting.sizes)
    head = _HEAD.format(
        date=datetime.now(UTC).date(),
        cpus=os.cpu_count(),
        machine=platform.machine(),
        rounds=setting.rounds,
        sizes=" and then ".join(map(str, setting.sizes)),
        children=CHILDREN,
        count=count,
        plot=PLOT.name,
        **{each.name: each.what for each in ALL},
    )
    bursts = (
        _BURST.format(size=size) + "".join(_burst(name, each, index) for name, each in found.items())
        for index, size in enumerate(setting.sizes)
    )
    rest = _REST.format(count=count, unrelated=setting.unrelated) + "".join(map(_rest, found, found.values()))
    return head + "".join(map(_score, scores)) + "".join(bursts) + rest


def _score(score: Score) -> str:
    reached = "no" if score.missed else "yes"
    return f"| {score.goal.row} | {score.goal.words} | {score.value:.2f} | {score.goal.most:g} | {reached} |\n"


def _burst(name: str, figures: Figures, index: int) -> str:
    burst = figures.bursts[index]
    seconds = f"{burst.wall_seconds:.1f} | {burst.median_seconds:.1f}"
    cpu = f"{burst.cpu_ms_each:.1f} | {burst.server_cpu_ms_each:.1f}"
    requests = f"{burst.requests_each:.1f} | {burst.writes_each:.1f} | {burst.events_each:.1f}"
    return f"| {name} | {seconds} | {cpu} | {requests} |\n"


def _rest(name: str, each: Figures) -> str:
    repair = "none" if each.repair_ms is None else f"{each.repair_ms:.0f}"
    restart = f"{each.restart.writes:.0f} | {each.restart.seconds:.1f} | {each.restart.cpu_seconds:.1f}"
    rest = f"{each.restart.list_seconds:.2f} | {each.unrelated_writes:.0f} | {each.idle_mib:.0f} | {each.full_mib:.0f}"
    return f"| {name} | {restart} | {rest} | {each.single_ms:.0f} | {repair} | {each.trip_ms:.0f} |\n"
