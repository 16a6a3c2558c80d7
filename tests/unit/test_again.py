"""When a deployment is looked at again without being woken."""

from dataclasses import replace

import pytest

from meditron_operator.core.again import look_again_seconds
from meditron_operator.core.rollout import Stage
from tests.unit.kit import DRAIN, MOMENT
from tests.unit.seen import Seen, stage

RESYNC = 600.0
PATIENT = replace(stage(Stage.ROLLING, ""), look_again_seconds=17.0)


@pytest.mark.parametrize(
    ("seen", "phase", "seconds"),
    [
        (Seen(), "Ready", RESYNC),
        (Seen(), "Degraded", 60),
        (Seen(), "WaitingForGPU", 5),
        (Seen(rollout=PATIENT), "RollingOut", 17),
        (Seen(rollout=PATIENT), "WaitingForGPU", 5),
        (Seen(rollout=stage(Stage.COMPLETE, "")), "Ready", RESYNC),
        (Seen(off=DRAIN, rollout=PATIENT), "Stopping", 20),
    ],
)
def test_the_soonest_counts(seen: Seen, phase: str, seconds: float) -> None:
    assert look_again_seconds(seen.view, {"phase": phase}, MOMENT, RESYNC) == seconds
