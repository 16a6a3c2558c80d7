"""Pods and nodes, cut down to what a decision needs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from kubernetes.utils.quantity import parse_quantity

from meditron_operator import names
from meditron_operator.core.catalog.gpus import GPUS, MIG_RESOURCE_PREFIX
from meditron_operator.core.live import Live, Ref

LAST_WORDS: Final = 1200  # characters of a container's end that are told

_REVISION_LABEL: Final = "controller-revision-hash"

GPU_RESOURCES: Final = frozenset(gpu.resource_name for gpu in GPUS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a container is not running: Kubernetes' own reason and the container's last words."""

    reason: str
    message: str
    exit_code: int | None = None

    def told(self, restarts: int) -> str:
        """In words, with how often it was tried."""
        code = f" with exit code {self.exit_code}" if self.exit_code is not None else ""
        words = f": {self.message}" if self.message else ""
        if self.exit_code == 0:  # the kubelet says in Events only what it did
            words = ": it was told to end, as happens when its startup or liveness probe fails: see the pod's events"
        return f"{self.reason}{code} after {restarts} restarts{words}"


class Gate(StrEnum):
    """The readiness gate that the operator keeps."""

    ABSENT = "absent"  # of a template from before there were gates, or somebody else's pod
    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod: where it is, what it holds, how it fares."""

    ref: Ref
    uid: str
    labels: Mapping[str, str]  # of a model's pod; other people's are of no interest
    service_account: str
    controller: str | None  # its uid
    node: str | None
    gpus: Mapping[str, int]  # by resource name
    finished: bool
    deleting: bool
    created: str
    ready: bool
    containers_ready: bool  # the engine's own health; `ready` needs the gate too
    gate: Gate
    unschedulable: str | None  # the scheduler's message
    trouble: Trouble | None
    started: bool  # the startup probe has passed
    restarts: int

    @property
    def deployment(self) -> str | None:
        """Name of the MeditronDeployment that it belongs to by its label."""
        return self.labels.get(names.DEPLOYMENT_LABEL)

    @property
    def revision(self) -> str | None:
        """The ControllerRevision of the template that it was made from; None of a pod that no StatefulSet made."""
        return self.labels.get(_REVISION_LABEL)

    @property
    def ordinal(self) -> int | None:
        """Its number among the replicas; None of a pod that no StatefulSet made."""
        digits = self.ref.name.rpartition("-")[2]
        return int(digits) if digits.isdecimal() and digits.isascii() else None

    @property
    def serves(self) -> bool:
        """Whether clients are sent to it."""
        return self.ready and not self.deleting

    @property
    def is_warm(self) -> bool:
        """Whether its engine could answer, sent to by clients or kept from them."""
        return (self.ready or self.containers_ready) and not self.deleting

    @property
    def is_ill(self) -> bool:
        """Whether the engine was well once, runs, and does not say so any more."""
        return self.gate is Gate.OPEN and self.started and not self.containers_ready

    @property
    def holds_gpus(self) -> bool:
        """Whether its GPUs are taken: from binding until it is finished or gone."""
        return bool(self.node) and not self.finished and bool(self.gpus)

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        """Of a Pod in wire form."""
        meta, spec, status = obj["metadata"], obj["spec"], obj.get("status", {})
        conditions = {item["type"]: item for item in status.get("conditions", ())}
        scheduled = conditions.get("PodScheduled", {})
        containers = status.get("containerStatuses", ())
        labels = meta.get("labels", {})
        return cls(
            ref=Ref(kind="Pod", namespace=meta["namespace"], name=meta["name"]),
            uid=meta["uid"],
            labels=labels if names.DEPLOYMENT_LABEL in labels else {},
            service_account=spec.get("serviceAccountName", ""),
            controller=next(
                (owner["uid"] for owner in meta.get("ownerReferences", ()) if owner.get("controller")), None
            ),
            node=spec.get("nodeName"),
            gpus=_requested_gpus(spec),
            finished=status.get("phase") in ("Succeeded", "Failed"),
            deleting="deletionTimestamp" in meta,
            created=meta["creationTimestamp"],
            ready=_holds(conditions, "Ready"),
            containers_ready=_holds(conditions, "ContainersReady"),
            gate=_gate(spec, conditions),
            unschedulable=scheduled.get("message", "") if scheduled.get("reason") == "Unschedulable" else None,
            trouble=next((trouble for trouble in map(_trouble, containers) if trouble), None),
            started=all(container.get("started") for container in containers),
            restarts=sum(container.get("restartCount", 0) for container in containers),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """What keeps pods off a node that don't tolerate it."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node: what it is labelled with, what it can give, and to whom."""

    name: str
    labels: Mapping[str, str]
    gpus: Mapping[str, int]  # allocatable, by resource name
    cpus: int  # whole ones; this and the next two are allocatable, and 0 where nothing is, as for the scheduler
    memory_bytes: int
    ephemeral_storage_bytes: int
    taints: tuple[Taint, ...]
    schedulable: bool
    unready: str = ""  # why it is not ready, in the words of the node controller or its kubelet

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        """Of a Node in wire form."""
        allocatable = obj.get("status", {}).get("allocatable", {})
        return cls(
            name=obj["metadata"]["name"],
            labels=obj["metadata"].get("labels", {}),
            gpus={resource: _count(allocatable[resource]) for resource in sorted(filter(_is_gpu, allocatable))},
            cpus=_count(allocatable.get("cpu", "0")),
            memory_bytes=_count(allocatable.get("memory", "0")),
            ephemeral_storage_bytes=_count(allocatable.get("ephemeral-storage", "0")),
            taints=tuple(_taint(taint) for taint in obj["spec"].get("taints", ())),
            schedulable=not obj["spec"].get("unschedulable", False),
            unready=next(filter(None, map(_unready, obj.get("status", {}).get("conditions", ()))), ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Everything seen in the cluster that concerns one deployment."""

    children: tuple[Live, ...] = ()  # controlled by the deployment, labelled as its own, or in the place of a child
    policies: tuple[Live, ...] = ()  # NetworkPolicies of the namespace that belong to no deployment
    pods: tuple[Pod, ...] = ()  # with the deployment's label or, whatever their labels, with its service account
    nodes: tuple[Node, ...] = ()
    gpu_pods: tuple[Pod, ...] = ()  # everybody's pods that ask for GPUs

    def child(self, kind: str, name: str) -> Live | None:
        """The child of that kind and name, whoever controls it."""
        return next((child for child in self.children if (child.ref.kind, child.ref.name) == (kind, name)), None)


def _requested_gpus(spec: Mapping[str, Any]) -> dict[str, int]:
    """What the scheduler sets aside: init containers run before the others and one by one, sidecars all the time."""
    begin = spec.get("initContainers", ())
    lasting = Counter[str]()
    for container in (*spec.get("containers", ()), *(each for each in begin if each.get("restartPolicy") == "Always")):
        lasting.update(_gpus_of(container))
    for container in begin:
        lasting |= Counter(_gpus_of(container))
    return dict(lasting)


def _gpus_of(container: Mapping[str, Any]) -> dict[str, int]:
    resources = container.get("resources", {})
    asked = {**resources.get("limits", {}), **resources.get("requests", {})}
    return {resource: _count(amount) for resource, amount in asked.items() if _is_gpu(resource)}


def _is_gpu(resource: str) -> bool:
    return resource in GPU_RESOURCES or resource.startswith(MIG_RESOURCE_PREFIX)


def _unready(condition: Mapping[str, Any]) -> str:
    if condition.get("type") != "Ready" or condition.get("status") == "True":
        return ""
    return ": ".join(filter(None, (condition.get("reason"), condition.get("message")))) or "it does not say why"


def _taint(taint: Mapping[str, Any]) -> Taint:
    return Taint(key=taint["key"], value=taint.get("value", ""), effect=taint["effect"])


def _count(amount: str) -> int:
    """A whole quantity. The server writes 1000 back as 1k, and anybody's pod may ask for that many."""
    return int(parse_quantity(amount))  # type: ignore[no-untyped-call]


def _holds(conditions: Mapping[str, Mapping[str, Any]], type_: str) -> bool:
    return conditions.get(type_, {}).get("status") == "True"


def _gate(spec: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]) -> Gate:
    if not any(gate["conditionType"] == names.SERVING_GATE for gate in spec.get("readinessGates", ())):
        return Gate.ABSENT
    return Gate.OPEN if _holds(conditions, names.SERVING_GATE) else Gate.CLOSED


def _last_lines(text: str) -> str:
    """What an engine says at last is why it ended; before that kubelet keeps its settings and other noise."""
    text = text.strip()
    return text if len(text) <= LAST_WORDS else text[-LAST_WORDS:].partition("\n")[2] or text[-LAST_WORDS:]


_ON_ITS_WAY: Final = frozenset({None, "ContainerCreating", "PodInitializing"})


def _trouble(container: Mapping[str, Any]) -> Trouble | None:
    """What keeps a container from running: what the kubelet waits with, or the last exit.

    An exit counts until the container is ready again. Between two tries of a crash loop it runs, and whoever took
    that for loading would have it load and crash in turn for ever.
    """
    state = container.get("state", {})
    waiting = state.get("waiting", {})
    if waiting.get("reason") not in _ON_ITS_WAY | {"CrashLoopBackOff"}:
        return Trouble(reason=waiting["reason"], message=waiting.get("message", ""))
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated")
    if ended and not container.get("ready"):
        words = _last_lines(ended.get("message", ""))
        return Trouble(reason=ended.get("reason", "Error"), message=words, exit_code=ended.get("exitCode"))
    if waiting.get("reason") not in _ON_ITS_WAY:
        return Trouble(reason=waiting["reason"], message=waiting.get("message", ""))
    return None
