"""Whether the engines got the KV cache that sizing predicted."""

from collections.abc import Mapping
from typing import Any, Final

from meditron_operator.core.measured import TOLERANCE_PERCENT, Reading, difference_percent, of_current_template
from meditron_operator.core.status.condition import Condition, Truth, Type, stored
from meditron_operator.core.status.view import View

_TOO_SMALL: Final = "requests may have to wait: lower concurrency or contextTokens, or take more GPUs; and report it"
_TOO_LARGE: Final = "there is room for more concurrency; and report it, for the sum is wrong"


def plan_verified(view: View) -> Condition:
    """The measurement against the prediction; the replica that got least speaks for all."""
    if view.sized is None:
        return _verified(Truth.UNKNOWN, "NotAccepted", "there is no plan while the spec is not accepted")
    if view.rolled_back:
        return _verified(Truth.UNKNOWN, "NotMeasured", "the replicas run an earlier template than the plan is about")
    figures = of_current_template(view.readings, view.pods, view.workload)
    if not figures:
        read = any(reading.kv_capacity_tokens is None for reading in view.readings)
        why = "the first lines of the engine's log have no figure" if read else "no replica has been measured yet"
        return _verified(Truth.UNKNOWN, "NotMeasured", why)
    least, predicted = min(figures), view.sized.plan.kv_capacity_tokens
    difference = difference_percent(least, predicted)
    of = f" (the least of {len(figures)} replicas)" if len(figures) > 1 else ""
    message = f"measured {least:,} tokens{of}, predicted {predicted:,}: {difference:+} %"
    if abs(difference) <= TOLERANCE_PERCENT:
        return _verified(Truth.TRUE, "Measured", message)
    return _verified(Truth.FALSE, "PredictionOff", f"{message}; {_TOO_SMALL if difference < 0 else _TOO_LARGE}")


def _verified(status: Truth, reason: str, message: str) -> Condition:
    return Condition(Type.PLAN_VERIFIED, status, reason, message)


def verified(view: View, previous: Mapping[str, Any], judged: Condition) -> Condition:
    """The judgement, but for the moment in which nobody can say which pods the plan is about: then the last one."""
    before = stored(previous).get(Type.PLAN_VERIFIED)
    if before is None or before["status"] not in set(Truth) or not view.between_templates:
        return judged
    return _verified(Truth(before["status"]), before["reason"], str(before.get("message")))


def measured(view: View, previous: Mapping[str, Any]) -> dict[str, Any]:
    """`measured` of the status: what was read of each replica that runs, and how it compares."""
    if view.between_templates and "measured" in previous:
        return {"measured": previous["measured"]}
    if not view.readings:
        return {}
    figures = of_current_template(view.readings, view.pods, view.workload)
    return {"measured": _compared(view, figures) | {"replicas": [_replica(each) for each in view.readings]}}


def _compared(view: View, figures: list[int]) -> dict[str, Any]:
    if not figures or view.sized is None or view.rolled_back:
        return {}
    least = min(figures)
    difference = difference_percent(least, view.sized.plan.kv_capacity_tokens)
    return {"kvCapacityTokens": least, "differencePercent": difference}


def _replica(reading: Reading) -> dict[str, Any]:
    told: dict[str, Any] = {"pod": reading.pod, "uid": reading.uid, "restarts": reading.restarts}
    tokens = reading.kv_capacity_tokens
    return told if tokens is None else told | {"kvCapacityTokens": tokens}
