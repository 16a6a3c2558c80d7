"""A drill: a stop by way of trial. It stops, stays and is released like any other; only its reason tells it apart.

The reason is what a real stop replaces: whoever stops for a reason of their own while a drill stands, with whatever
tool, ends the drill by that. A mark beside the reason would stay and hide the real stop. The admission policies let
nobody write this reason over another stop, nor before a stop.
"""

from typing import Final

from meditron_operator import names
from meditron_operator.core.killswitch.effective import Annotations

REASON: Final = "drill"
"""The whole reason of a drill; longer words that begin like it are a real stop's."""

REAL_WITHOUT_REASON: Final = "a real stop while a drill stood; no reason given"
"""What a real stop without a reason writes over a drill's."""


def is_drill(annotations: Annotations) -> bool:
    """Whether the switch is engaged, and for a drill only."""
    return names.KILL_SWITCH in annotations and annotations.get(names.KILL_REASON) == REASON
