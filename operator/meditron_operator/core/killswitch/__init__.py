"""The kill switch: what the annotations of three scopes come to, and what that takes away from whom."""

from meditron_operator.core.killswitch.effective import Annotations, Engaged, Mode, Off, Released, Scope, effective
from meditron_operator.core.killswitch.measures import Measures, measures, mode_of
from meditron_operator.core.killswitch.told import SwitchState, SwitchStatus, UnconfirmedPod

__all__ = [
    "Annotations",
    "Engaged",
    "Measures",
    "Mode",
    "Off",
    "Released",
    "Scope",
    "SwitchState",
    "SwitchStatus",
    "UnconfirmedPod",
    "effective",
    "measures",
    "mode_of",
]
