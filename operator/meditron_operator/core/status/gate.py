"""What the operator says on a pod about itself: may clients be sent there?"""

from typing import Any

from meditron_operator import names


def serving_condition(open_: bool, now: str) -> dict[str, Any]:
    """The condition behind the pod's readiness gate, from `now` on."""
    reason, message = (
        ("Healthy", "the engine is healthy")
        if open_
        else ("Stopped", "the kill switch is engaged: no client gets here")
    )
    return {
        "type": names.SERVING_GATE,
        "status": "True" if open_ else "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
    }
