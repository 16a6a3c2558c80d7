"""The whole status object, the phase for the printer column, and what changed since the last one."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.killswitch import Stop
from meditron_operator.core.status.condition import Condition, Truth, Type, stored
from meditron_operator.core.status.judgements import JUDGEMENTS, NODE_NOT_READY
from meditron_operator.core.status.measuring import measured, verified
from meditron_operator.core.status.planning import gpu_choice
from meditron_operator.core.status.view import View

_HELD_UP: Final = frozenset({"NotOurs", "WriteRefused", "ImmutableFields", "Stalled", "RolledBack"})
_ASKING: Final = frozenset({"OutageNeeded", "NoRoom"})
"""All serves, and a person has to decide."""

Conditions = Mapping[Type, Condition]


def summarize(view: View, previous: Mapping[str, Any], now: str) -> dict[str, Any]:
    """The status to show. `previous` is the stored one: a condition that keeps its status keeps its time.

    `now` is RFC 3339 in UTC; it is used only where something changed, so equal views give equal statuses.
    """
    conditions = {condition.type: condition for condition in (judge(view) for judge in JUDGEMENTS)}
    conditions[Type.PLAN_VERIFIED] = verified(view, previous, conditions[Type.PLAN_VERIFIED])
    phase, why = _phase(view, conditions)
    times = stored(previous)
    return {
        "observedGeneration": view.case.generation,
        "phase": phase,
        "reason": why.reason,
        "replicas": len(view.pods),
        "readyReplicas": view.ready_replicas,
        "desiredReplicas": view.wanted_replicas,
        "ready": f"{view.ready_replicas}/{view.wanted_replicas}",
        **_killed(view.case.stop),
        "selector": f"{names.DEPLOYMENT_LABEL}={view.case.owner.name}",
        **_deployed(view, previous),
        **measured(view, previous),
        **_remembered(view, previous),
        "conditions": [_dated(condition, view, times, now) for condition in conditions.values()],
    }


def condition_changes(previous: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The conditions of `status` whose status or reason differs from `previous`, for Events.

    The first statement about something is news only when it says more than that nothing has happened yet.
    """
    before = {type_: (item["status"], item["reason"]) for type_, item in stored(previous).items()}
    for item in status["conditions"]:
        known = before.get(item["type"])
        first = known is None and item["reason"] in _UNEVENTFUL
        if not first and known != (item["status"], item["reason"]):
            yield item


_UNEVENTFUL: Final = frozenset(
    {
        "NotEngaged",
        "NotAccepted",
        "PodsMissing",
        "NotScheduled",
        "Creating",
        "RollingOut",
        "Unverified",
        "Current",
        "Fixed",
        "NotMeasured",
        "Enforced",
        "Scheduled",
        "ScaledToZero",
        "Complete",
    }
)


def _killed(stop: Stop | None) -> dict[str, str]:
    """What keeps it off, in a word. The end of a drain is told to the operator itself too, so that it stays."""
    if stop is None:
        return {}
    until = {"drainsUntil": stop.until.isoformat(timespec="milliseconds")} if stop.until else {}
    return {"kill": stop.word, **until}


def _remembered(view: View, previous: Mapping[str, Any]) -> dict[str, Any]:
    """`rollout`: what is known of earlier templates; kept as it is while nothing is asked for."""
    if view.rollout is None:
        return {"rollout": previous["rollout"]} if "rollout" in previous else {}
    told = view.rollout.history.wire()
    return {"rollout": told} if told else {}


def _deployed(view: View, previous: Mapping[str, Any]) -> dict[str, Any]:
    """The address and the plan of what is deployed: while a new spec is not accepted, still the old one's."""
    if view.accepted is None or view.launch is None:
        fields = ("endpoint", "gpuChoice", "plan", "engine") if view.workload is not None else ()
        return {field: previous[field] for field in fields if field in previous}
    sized, owner = view.accepted.sized, view.case.owner
    plan, gpu = sized.plan, sized.demand.gpu.name
    return {
        "endpoint": f"http://{names.child_name(owner.name)}.{owner.namespace}.svc:{view.launch.port}",
        "plan": {
            "summary": f"{plan.gpus_per_replica}x{gpu}",
            "gpuType": gpu,
            "gpusPerReplica": plan.gpus_per_replica,
            "profile": str(plan.profile),
            "bytesPerGPU": {_camel(name): size for name, size in asdict(plan.bytes_per_gpu).items()},
            "kvCapacityTokens": plan.kv_capacity_tokens,
            "safeTokens": plan.safe_tokens,
            "sequencesAtFullContext": plan.sequences_at_full_context,
            "explanation": plan.explanation,
        },
        **gpu_choice(view, previous),
        "engine": {"name": sized.spec.engine.name, "image": view.accepted.image},
    }


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(map(str.capitalize, tail))


def _phase(view: View, conditions: Conditions) -> tuple[str, Condition]:
    """The word for the printer column and the condition that explains it; the first that applies."""
    stopped, accepted, scheduled = (conditions[type_] for type_ in (Type.STOPPED, Type.ACCEPTED, Type.SCHEDULED))
    available, progressing = conditions[Type.AVAILABLE], conditions[Type.PROGRESSING]
    off, serving = view.case.off is not None, view.ready_replicas > 0
    pods_missing = scheduled.reason == "PodsMissing"
    candidates = (
        ("Stopped", stopped, off and stopped.status is Truth.TRUE),
        ("Stopping", stopped, off),
        ("Invalid", accepted, accepted.status is Truth.FALSE),
        ("Degraded", progressing, progressing.reason in _HELD_UP),
        ("Degraded", available, any(pod.trouble or pod.is_ill for pod in view.pods)),
        ("Degraded", available, available.reason == NODE_NOT_READY),
        ("Pending", scheduled, scheduled.reason == "Unschedulable" or (pods_missing and not serving)),
        ("WaitingForGPU", scheduled, scheduled.status is Truth.FALSE and not pods_missing),
        ("Idle", available, available.reason == "ScaledToZero"),
        ("RollingOut", progressing, serving and (progressing.status is Truth.TRUE or progressing.reason in _ASKING)),
        ("Loading", available, view.ready_replicas < view.wanted_replicas),
        ("Ready", available, True),
    )
    return next((phase, why) for phase, why, applies in candidates if applies)


def _dated(condition: Condition, view: View, times: Mapping[str, Mapping[str, Any]], now: str) -> dict[str, Any]:
    before = times.get(condition.type)
    same = before is not None and before["status"] == condition.status
    return {
        "type": str(condition.type),
        "status": str(condition.status),
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": view.case.generation,
        "lastTransitionTime": before["lastTransitionTime"] if same and before else now,
    }
