"""Killed before and after each write of each workflow: started again, the operator comes to the end of a clean run."""

import time

import pytest

from tests.faults.crashes.campaign import Crash, campaign
from tests.faults.crashes.rounds import ROUNDS
from tests.faults.crashes.table import result_table
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

STEPS = [step.name for round_ in ROUNDS for step in round_.steps if step.crashes]


@pytest.fixture(scope="module")
def crashes(bed: Testbed) -> list[Crash]:
    """All of the campaign."""
    begin = time.monotonic()
    with campaign(bed) as everything:
        found = everything.run()
    count = sum(crash.point is not None and crash.reached for crash in found)
    print(f"\n{count} crashes in {time.monotonic() - begin:.0f} s\n{result_table(found)}")
    return found


@pytest.mark.parametrize("step", STEPS)
def test_each_crash_comes_to_the_clean_end(crashes: list[Crash], step: str) -> None:
    mine = [crash for crash in crashes if crash.step == step]
    different = [str(crash) for crash in mine if not crash.survived]

    assert any(crash.point for crash in mine)
    assert not different, "\n".join(different)
