"""The kill switch's true state: never more than was seen, by the operator and, where it tells of it, by the guard."""

from collections.abc import Set
from typing import Final

from meditron_operator import names
from meditron_operator.core.killswitch import Engaged, Stop, SwitchState, SwitchStatus
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Gate, Pod
from meditron_operator.core.status.condition import Condition, Truth, Type
from meditron_operator.core.status.view import View
from meditron_operator.core.times import rfc3339

_TAINT: Final = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"


def stopped(view: View) -> Condition:
    """The condition `Stopped`."""
    stop = view.case.stop
    if stop is None:
        return Condition(Type.STOPPED, Truth.FALSE, "NotEngaged", "no kill switch is engaged")
    left = _still_there(view, stop)
    if left:
        return _engaging(f"still there: {', '.join(left)} ({stop.off})")
    done = _done(view)
    if stop.drains_until is not None:
        until = rfc3339(stop.drains_until)
        return _engaging(f"{done}; answers in flight may take until {until}, then all is cut ({stop.off})")
    if not isinstance(stop.off, Engaged):
        return Condition(Type.STOPPED, Truth.TRUE, "Released", f"{done} ({stop.off})")
    if stop.told is None:
        return _unverified(Truth.TRUE, f"{done}; not probed from outside ({stop.off})")
    return _as_told(stop.told, done, f"({stop.off})")


def _as_told(told: SwitchStatus, done: str, why: str) -> Condition:
    """What the guard says, where the operator sees nothing to the contrary."""
    if told.state is SwitchState.ENGAGED:
        when = f" at {told.verified_at}" if told.verified_at else ""
        proven = f"{done}; proven from outside{when}{_after_colon(told.message)} {why}"
        return Condition(Type.STOPPED, Truth.TRUE, "Engaged", proven)
    if told.state is SwitchState.ENGAGING:
        return _engaging(f"{done}; the guard has not proven it yet{_after_colon(told.message)} {why}")
    if told.unconfirmed_pods:
        return _unverified(Truth.UNKNOWN, f"{_unconfirmed(told)} {why}")
    return _unverified(Truth.TRUE, f"{done}; the guard could not prove it{_after_colon(told.message)} {why}")


def _engaging(message: str) -> Condition:
    return Condition(Type.STOPPED, Truth.FALSE, "Engaging", message)


def _unverified(truth: Truth, message: str) -> Condition:
    return Condition(Type.STOPPED, truth, "EngagedUnverified", message)


def _after_colon(words: str) -> str:
    return f": {words}" if words else ""


def _unconfirmed(told: SwitchStatus) -> str:
    pods = ", ".join(f"{pod.name} on node {pod.node}" for pod in told.unconfirmed_pods)
    node = told.unconfirmed_pods[0].node
    return (
        f"nobody saw the end of {pods}: make sure that the node is off, then say so with "
        f"`kubectl taint node {node} {_TAINT}`, or delete the Node"
    )


def _done(view: View) -> str:
    if view.case.cut:
        return "no pod is left and no client may connect"
    warm = sum(not pod.finished and not pod.deleting for pod in view.cluster.pods)
    return f"no new client gets in, {warm} pod{'' if warm == 1 else 's'} kept warm"


def _still_there(view: View, stop: Stop) -> list[str]:
    if not stop.measures.cut:
        return [f"pod {pod.ref.name} ({why})" for pod in view.cluster.pods if (why := _way_in(pod))]
    lost = _lost(stop.told)
    left = [f"pod {pod.ref.name}" for pod in view.cluster.pods if not pod.finished and pod.uid not in lost]
    policy = view.cluster.child("NetworkPolicy", names.child_name(view.case.owner.name, names.ALLOW_SUFFIX))
    if policy is not None:
        left.insert(0, str(policy.ref))
    if view.workload is not None and not _counted_down(view.workload, _there(view, lost)):
        left.append(f"{view.workload.ref} (its controller has not counted down)")
    return left


def _lost(told: SwitchStatus | None) -> Set[str]:
    """The uids of the pods whose nodes are lost, as the guard says: nothing more can be seen of them."""
    if told is None or told.state is not SwitchState.ENGAGED_UNVERIFIED:
        return frozenset()
    return {pod.uid for pod in told.unconfirmed_pods}


def _way_in(pod: Pod) -> str:
    """How a new client may still get to a pod that is kept warm; empty when there is no way."""
    if pod.finished:
        return ""
    if pod.gate is Gate.ABSENT:
        return "it has no readiness gate that could keep clients away: delete it"
    return "clients are still sent to it" if pod.gate is Gate.OPEN or pod.ready else ""


def _there(view: View, lost: Set[str]) -> int:
    """Pods on lost nodes whose objects are there: the controller counts them until somebody takes them away."""
    return sum(pod.uid in lost for pod in view.pods)


def _counted_down(workload: Live, excused: int) -> bool:
    """At 0, and its controller knows: before that it may still make a pod."""
    seen: bool = workload.status.get("observedGeneration", 0) >= workload.generation
    return seen and workload.body["spec"].get("replicas") == 0 and workload.status.get("replicas", 0) <= excused
