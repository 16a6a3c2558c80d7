"""The kill switch: what the annotations of three scopes come to, and what that takes away from whom."""

from meditron_operator.core.killswitch.admitted import admitted_at, drain_since
from meditron_operator.core.killswitch.effective import (
    Annotations,
    Engaged,
    Mode,
    Off,
    Released,
    Scope,
    effective,
    ours,
)
from meditron_operator.core.killswitch.measures import Measures, measures, mode_of
from meditron_operator.core.killswitch.stop import Draining, Stop, grace_seconds, stop_of
from meditron_operator.core.killswitch.told import STOPPING, SwitchState, SwitchStatus, UnconfirmedPod

__all__ = [
    "STOPPING",
    "Annotations",
    "Draining",
    "Engaged",
    "Measures",
    "Mode",
    "Off",
    "Released",
    "Scope",
    "Stop",
    "SwitchState",
    "SwitchStatus",
    "UnconfirmedPod",
    "admitted_at",
    "drain_since",
    "effective",
    "grace_seconds",
    "measures",
    "mode_of",
    "ours",
    "stop_of",
]
