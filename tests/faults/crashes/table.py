"""The results in words."""

from collections.abc import Iterable

from tests.docs.blocks import table
from tests.faults.crashes.campaign import Crash
from tests.faults.crashes.points import AT_ONCE
from tests.faults.crashes.rounds import ROUNDS


def result_table(crashes: Iterable[Crash]) -> str:
    """How many points each step has, and how many crashes there came to another end."""
    everything = list(crashes)
    steps = [step.name for round_ in ROUNDS for step in round_.steps if step.crashes]
    rows = [_row(step, [crash for crash in everything if crash.step == step]) for step in steps]
    return table(("step", "writes", "crashes", "differences"), rows)


def _row(step: str, crashes: list[Crash]) -> tuple[str, ...]:
    points = [crash.point for crash in crashes if crash.point is not None]
    writes = {(point.write, point.number) for point in points if point != AT_ONCE}
    reached = sum(crash.point is not None and crash.reached for crash in crashes)
    return step, str(len(writes)), str(reached), str(sum(bool(crash.differences) for crash in crashes))
