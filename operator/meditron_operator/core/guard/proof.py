"""What is left of a deployment that must be off, and what can't be seen: the proof, or why there is none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meditron_operator.core.guard.seen import NodeState, Pod, Seen
from meditron_operator.core.killswitch import Measures, UnconfirmedPod

_FEW: Final = 5  # names in a message


class Answer(StrEnum):
    """What somebody who asks an address gets."""

    NONE = "none"
    CONNECTION = "connection"  # and no word of HTTP
    HTTP = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found out beside the objects themselves."""

    endpoints: tuple[str, ...] = ()  # Services that still lead somewhere
    answers: Mapping[str, Answer] = field(default_factory=dict)  # by address
    nodes: Mapping[str, NodeState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look came to. `left` and `open` are words for people; the proof is that nothing is in them."""

    cut: bool  # pods must be gone; else they only get no new connections
    open: tuple[str, ...]
    rest: tuple[str, ...]
    pods: tuple[Pod, ...]  # still there, though they must be gone
    unconfirmed: tuple[UnconfirmedPod, ...]
    warm: int  # pods that a hold keeps
    asked: tuple[str, ...]  # addresses that gave no answer

    @property
    def left(self) -> tuple[str, ...]:
        """What more of the same work can bring about."""
        lost = {pod.uid for pod in self.unconfirmed}
        there = tuple(f"pod {pod.ref.name}" for pod in self.pods if pod.uid not in lost)
        return (*self.open, *_few(there), *self.rest)

    @property
    def proven(self) -> bool:
        return not (self.left or self.unconfirmed)

    def message(self) -> str:
        if self.left:
            return f"still there: {', '.join(self.left)}"
        if self.unconfirmed:
            return _unconfirmed_words(self.unconfirmed)
        asked = f"; no answer from {', '.join(_few(self.asked))}" if self.asked else ""
        if self.cut:
            return f"no pod, no endpoint, no policy that opens it, StatefulSet at 0{asked}"
        return f"no new connection gets in, {self.warm} pods are kept warm{asked}"


def find(
    measures: Measures, seen: Seen, evidence: Evidence, before: Iterable[UnconfirmedPod] = (), waits_until: str = ""
) -> Findings:
    """What a look came to. `before` are pods that were unconfirmed, or known and not seen to end; `waits_until` is
    when a drain cuts that lets answers in flight finish."""
    gates = tuple(f"open gate of pod {pod.ref.name}" for pod in seen.pods if pod.gate_open and not pod.finished)
    endpoints = tuple(f"endpoint of Service {service}" for service in evidence.endpoints)
    talking = tuple(
        f"answer from {address}"
        for address, answer in sorted(evidence.answers.items())
        if answer is Answer.HTTP or (answer is Answer.CONNECTION and not measures.cut)
    )
    silent = tuple(sorted(address for address in evidence.answers if f"answer from {address}" not in talking))
    waits = (f"answers in flight, until {waits_until} at the latest",) if waits_until else ()
    if not measures.cut:
        return Findings(
            cut=False,
            open=(*_few(gates), *endpoints, *waits),
            rest=talking,
            pods=(),
            unconfirmed=(),
            warm=sum(not pod.finished for pod in seen.pods),
            asked=silent,
        )
    policies = tuple(f"NetworkPolicy {policy.ref.name}" for policy in seen.policies)
    scaled = tuple(f"StatefulSet {each.ref.name} at {each.replicas}" for each in seen.workloads if each.replicas)
    return Findings(
        cut=True,
        open=(*_few(gates), *policies),
        rest=(*endpoints, *scaled, *talking),
        pods=seen.pods,
        unconfirmed=_unconfirmed(seen.pods, evidence.nodes, before),
        warm=0,
        asked=silent,
    )


def _unconfirmed(
    pods: tuple[Pod, ...], nodes: Mapping[str, NodeState], before: Iterable[UnconfirmedPod]
) -> tuple[UnconfirmedPod, ...]:
    """Pods on a node that is lost, there or not: an object that was deleted by force proves nothing."""
    there = (UnconfirmedPod(name=pod.ref.name, uid=pod.uid, node=pod.node) for pod in pods if pod.node)
    every = {pod.uid: pod for pod in (*before, *there)}
    lost = (pod for pod in every.values() if nodes.get(pod.node) is NodeState.LOST)
    return tuple(sorted(lost, key=lambda pod: (pod.name, pod.uid)))


def _unconfirmed_words(pods: tuple[UnconfirmedPod, ...]) -> str:
    nodes = sorted({pod.node for pod in pods})
    named = ", ".join(_few(tuple(f"{pod.name} on {pod.node}" for pod in pods)))
    return (
        f"nobody saw these pods end, their node is lost: {named}. Make sure that it is off, then say so: "
        f"kubectl taint node {nodes[0]} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, or delete the Node"
    )


def _few(words: tuple[str, ...]) -> tuple[str, ...]:
    return words if len(words) <= _FEW else (*words[:_FEW], f"{len(words) - _FEW} more")
