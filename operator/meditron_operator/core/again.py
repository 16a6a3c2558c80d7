"""When to look at a deployment again without being woken: where time alone changes the answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from meditron_operator.core.status import View

SHORTAGE_SECONDS: Final = 5.0  # how stale the numbers about missing GPUs may get; asks the server for nothing
TROUBLE_SECONDS: Final = 60.0  # a foreign object, which no watch shows us, may be gone by then

_BY_PHASE: Final[Mapping[str, float]] = {"Degraded": TROUBLE_SECONDS, "WaitingForGPU": SHORTAGE_SECONDS}


def look_again_seconds(view: View, status: Mapping[str, Any], moment: datetime, resync_seconds: float) -> float:
    """From `moment` on; never later than after `resync_seconds`."""
    stop, rollout = view.case.stop, view.rollout
    if stop is not None and stop.drains_until is not None:
        left = (stop.drains_until - moment).total_seconds()
        return min(max(left, 0.0), resync_seconds)
    patience = rollout.look_again_seconds if rollout is not None else None
    candidates = (_BY_PHASE.get(status["phase"]), patience, resync_seconds)
    return min(seconds for seconds in candidates if seconds is not None)
