"""The figures against the goals, as Markdown."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.kill.scenes import Series

Tell = Callable[[str], None]

RATIO: Final = 40
FILE: Final = Path(__file__).with_name("RESULTS.md")
_HEAD: Final = """\
# The kill switch, measured

Made by `make bench-kill` on {date}: {cpus} processors ({machine}), everything on one machine: etcd, API server,
controllers, scheduler, operator, guard, and who measures. Milliseconds from the moment before a person's PATCH is sent
to the moment at which a watch of our own shows the StatefulSet at 0.

| who stops | situation | stops | median | p99 | worst | goal (p99) |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Result:
    """A series, and what its p99 must not exceed, in milliseconds."""

    series: Series
    goal: float | None = None

    @property
    def missed(self) -> bool:
        return self.goal is not None and self.series.percentile(99) * 1000 > self.goal


def report(results: Sequence[Result], storm: Series, plain: Series) -> tuple[str, list[str]]:
    """The page, and what was missed. `storm` and `plain` are the same situation with and without the guard."""
    head = _HEAD.format(date=datetime.now(UTC).date(), cpus=os.cpu_count(), machine=platform.machine())
    ratio = plain.percentile(50) / storm.percentile(50)
    last = f"\n{storm.when.capitalize()}, the guard is {ratio:.0f} times as fast as a {plain.who} (medians; goal 40).\n"
    missed = [f"{each.series.who}, {each.series.when}: p99 above {each.goal:.0f} ms" for each in results if each.missed]
    if ratio < RATIO:
        missed.append(f"the guard is only {ratio:.0f} times as fast as a {plain.who}")
    return head + "".join(map(_row, results)) + last, missed


def _row(result: Result) -> str:
    series = result.series
    figures = (series.percentile(50), series.percentile(99), max(series.seconds))
    cells = [series.who, series.when, str(len(series.seconds)), *(f"{each * 1000:.0f}" for each in figures)]
    return "| " + " | ".join([*cells, "" if result.goal is None else f"{result.goal:.0f}"]) + " |\n"
