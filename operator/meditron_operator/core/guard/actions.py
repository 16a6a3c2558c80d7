"""What a stop has to do next, from what is seen: the same however often it is asked, and after any of it was done."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.guard.seen import PAUSED, PAUSED_BY_GUARD, Pod, Policy, Scaler, Seen, Workload
from meditron_operator.core.killswitch import Measures
from meditron_operator.core.live import Ref

GRACE_SECONDS: Final = 1  # of a deleted pod. Never 0: the container may live on, and nobody sees it


@dataclass(frozen=True, slots=True)
class CloseGate:
    """No new connection gets to the pod through its Service."""

    pod: Pod
    ends: bool = False
    """Whether the pod is ended in the same step."""

    @property
    def ref(self) -> Ref:
        return self.pod.ref


@dataclass(frozen=True, slots=True)
class RemovePolicy:
    """Nobody gets to the pods, and where the network plugin does so open streams end too."""

    policy: Policy

    @property
    def ref(self) -> Ref:
        return self.policy.ref


@dataclass(frozen=True, slots=True)
class ScaleToZero:
    workload: Workload

    @property
    def ref(self) -> Ref:
        return self.workload.ref


@dataclass(frozen=True, slots=True)
class EndPod:
    pod: Pod

    @property
    def ref(self) -> Ref:
        return self.pod.ref


@dataclass(frozen=True, slots=True)
class Annotate:
    """Pause a scaler, or let it go."""

    scaler: Scaler
    paused: bool

    @property
    def ref(self) -> Ref:
        return self.scaler.ref

    @property
    def annotations(self) -> dict[str, str | None]:
        return dict(_PAUSE) if self.paused else dict.fromkeys(_PAUSE)


_PAUSE: Final = {PAUSED: "true", PAUSED_BY_GUARD: names.GUARD_NAME}

Traffic = CloseGate | RemovePolicy
Action = Traffic | ScaleToZero | EndPod | Annotate

Done = tuple[str, str]
"""What was done, and the uid of the object that it was done to."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Traffic first; the rest is sent right after it, and waits for none of its answers.

    Pods end before their StatefulSet is at 0: else its controller may be first to delete them, with the grace of their
    template, and a kubelet that has begun to wait that long does not listen to a shorter one.
    """

    traffic: tuple[Traffic, ...] = ()
    rest: tuple[EndPod | ScaleToZero | Annotate, ...] = ()

    @property
    def actions(self) -> tuple[Action, ...]:
        return (*self.traffic, *self.rest)

    def without(self, done: Container[Done]) -> "Plan":
        """What of it was not sent already: a cache shows an answer only some moments later."""
        return Plan(
            traffic=tuple(each for each in self.traffic if done_by(each) not in done),
            rest=tuple(each for each in self.rest if done_by(each) not in done),
        )


def done_by(action: Action) -> Done:
    """How an action is remembered."""
    match action:
        case CloseGate(pod) | EndPod(pod):
            uid = pod.uid
        case RemovePolicy(policy):
            uid = policy.uid
        case ScaleToZero(workload):
            uid = workload.uid
        case Annotate(scaler):
            uid = scaler.uid
    return type(action).__name__, uid


def plan(measures: Measures, seen: Seen) -> Plan:
    """What is due of `seen`, which is all of one deployment. Nothing when the measures are taken already."""
    open_ = [pod for pod in seen.pods if pod.gate_open and not pod.finished] if measures.gates else []
    gates = tuple(CloseGate(pod, ends=measures.cut) for pod in open_)
    if not measures.cut:
        return Plan(traffic=gates)
    return Plan(
        traffic=(*gates, *map(RemovePolicy, seen.policies)),
        rest=(
            *(EndPod(pod) for pod in seen.pods if _lives_too_long(pod)),
            *(ScaleToZero(workload) for workload in seen.workloads if workload.replicas > 0),
            *(Annotate(scaler, paused=True) for scaler in seen.scalers if scaler.paused is None),
        ),
    )


def letting_go(seen: Seen) -> tuple[Annotate, ...]:
    """The scalers that the guard paused; what somebody else paused, or changed since, stays as it is."""
    ours = (scaler for scaler in seen.scalers if scaler.paused_by == names.GUARD_NAME and scaler.paused is not None)
    return tuple(Annotate(scaler, paused=False) for scaler in ours)


def closed(gate: CloseGate, now: str) -> list[dict[str, Any]]:
    """The pod's conditions. The gate's in the words of the operator: whoever is first writes it.

    Of a pod that ends `Ready` too: its address goes at once, also when no kubelet lives. It is said in the words of the
    kubelet (GeneratePodReadyCondition of Kubernetes 1.37), which then has nothing to correct: a pod that it has just
    synced begins to end only after its next look at the runtime, up to a second later. A pod that lives on is left to
    it, since it may write once more what it knew before.
    """
    return [_closed_gate(now), not_ready(now)] if gate.ends else [_closed_gate(now)]


def _closed_gate(now: str) -> dict[str, Any]:
    return {
        "type": names.SERVING_GATE,
        "status": "False",
        "reason": "Stopped",
        "message": "the kill switch is engaged: no client gets here",
        "lastTransitionTime": now,
    }


def not_ready(now: str) -> dict[str, Any]:
    """What a kubelet says of a pod whose gate is closed."""
    return {
        "type": "Ready",
        "status": "False",
        "reason": "ReadinessGatesNotReady",
        "message": f'the status of pod readiness gate "{names.SERVING_GATE}" is not "True", but False',
        "lastTransitionTime": now,
    }


def _lives_too_long(pod: Pod) -> bool:
    """Also one that ends already, at its leisure."""
    return not pod.deleting or (pod.grace_seconds or 0) > GRACE_SECONDS
