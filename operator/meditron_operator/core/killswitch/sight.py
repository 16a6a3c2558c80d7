"""One deployment as somebody at the command line sees it: what is there of it, and what the guard said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from meditron_operator import names
from meditron_operator.core.killswitch.admitted import admitted_at
from meditron_operator.core.killswitch.effective import Annotations, Engaged, Mode, Off, Scope, effective
from meditron_operator.core.killswitch.told import SwitchStatus, speaks_of
from meditron_operator.core.times import moment

Object = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace and name of a deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPod:
    """A pod that is there."""

    name: str
    uid: str
    node: str
    grace: int | None
    """Seconds that it has been given to end; None while nobody has told it to."""
    open: bool
    """Whether its gate lets new connections in."""

    @classmethod
    def of(cls, pod: Object) -> Self:
        meta = pod["metadata"]
        conditions = pod.get("status", {}).get("conditions") or ()
        return cls(
            name=meta["name"],
            uid=meta["uid"],
            node=pod.get("spec", {}).get("nodeName", ""),
            grace=meta.get("deletionGracePeriodSeconds", 0) if "deletionTimestamp" in meta else None,
            open=any(each.get("type") == names.SERVING_GATE and each.get("status") == "True" for each in conditions),
        )

    def __str__(self) -> str:
        where = f" on node {self.node}" if self.node else ""
        return f"pod {self.name}{where}" + ("" if self.grace is None else ", which was told to end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One deployment. None stands for what the person may not look at."""

    namespace: str
    name: str
    off: Off | None
    carrier: Annotations = field(default_factory=dict)
    """Annotations of what carries the switch that counts."""
    since: datetime | None = None
    """When the API server took that switch in, in whole seconds."""
    every_scope_seen: bool = True
    """Otherwise another scope may keep it off too."""
    body: Object = field(default_factory=dict)
    """As it is stored."""
    told: SwitchStatus | None = None
    """What the guard said of this very stop."""
    pods: tuple[SeenPod, ...] | None = None
    policy: bool | None = None
    """Whether the clients' policy stands."""
    replicas: int | None = None
    """What its StatefulSet wants."""
    endpoints: int | None = None
    shut: bool | None = None
    """Whether the API server refuses new pods of it."""

    @property
    def key(self) -> Key:
        return self.namespace, self.name

    @property
    def mode(self) -> Mode | None:
        """How hard it is stopped; None when it isn't, or is no longer."""
        return Mode.of(self.off.mode) if isinstance(self.off, Engaged) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What the API server answered, of one deployment or of all in a scope. None: the person may not look."""

    deployments: tuple[Object, ...]
    operator_namespace: str
    namespaces: tuple[Object, ...]
    """Those that the person may look at."""
    pods: tuple[Object, ...] | None
    policies: tuple[Object, ...] | None
    workloads: tuple[Object, ...] | None
    slices: tuple[Object, ...] | None
    shut: Mapping[Key, bool] = field(default_factory=dict)


def sights(objects: Objects) -> tuple[Sight, ...]:
    """Every deployment, in the order of their names."""
    carriers = {str(each["metadata"]["name"]): each for each in objects.namespaces}
    found = (_sight(each, carriers, objects) for each in objects.deployments)
    return tuple(sorted(found, key=lambda each: each.key))


def _sight(deployment: Object, carriers: Mapping[str, Object], objects: Objects) -> Sight:
    namespace, name = _key(deployment)
    wider = {Scope.NAMESPACE: carriers.get(namespace), Scope.CLUSTER: carriers.get(objects.operator_namespace)}
    scopes = {Scope.DEPLOYMENT: deployment, **{scope: each for scope, each in wider.items() if each is not None}}
    off = effective({scope: _annotations(each) for scope, each in scopes.items()})
    carrier = None if off is None else scopes[off.scope]
    pods = _of(objects.pods, namespace, name)
    return Sight(
        namespace=namespace,
        name=name,
        body=deployment,
        off=off,
        carrier={} if carrier is None else _annotations(carrier),
        since=None if carrier is None else engaged_since(carrier),
        every_scope_seen=len(scopes) == len(Scope),
        told=_told(deployment, off, {} if carrier is None else _annotations(carrier)),
        pods=None if pods is None else tuple(SeenPod.of(each) for each in pods),
        policy=_has_policy(objects.policies, namespace, name),
        replicas=_wanted(objects.workloads, namespace, name),
        endpoints=_endpoints(_of(objects.slices, namespace, name)),
        shut=objects.shut.get((namespace, name)),
    )


def engaged_since(carrier: Object) -> datetime | None:
    """When the annotation was written, or something else by the same program since; None when nothing tells."""
    return moment(admitted_at(carrier["metadata"]))


def last_written(carrier: Object, manager: str) -> datetime | None:
    """When this program last changed anything of it; None if nothing of that stands."""
    entries = carrier["metadata"].get("managedFields") or ()
    times = (moment(each.get("time")) for each in entries if each.get("manager") == manager)
    return max((time for time in times if time is not None), default=None)


def _told(deployment: Object, off: Off | None, carrier: Annotations) -> SwitchStatus | None:
    """The guard's words, but of an earlier stop: it may be dead since then."""
    status = deployment.get("status")
    told = SwitchStatus.of(status) if isinstance(status, Mapping) else None
    return told if told is not None and off is not None and speaks_of(told, off, carrier) else None


def _of(objects: Iterable[Object] | None, namespace: str, name: str) -> list[Object] | None:
    """Those that wear the deployment's label."""
    if objects is None:
        return None
    metas = ((each, each["metadata"]) for each in objects)
    return [
        each
        for each, meta in metas
        if meta.get("namespace") == namespace and (meta.get("labels") or {}).get(names.DEPLOYMENT_LABEL) == name
    ]


def _has_policy(policies: Iterable[Object] | None, namespace: str, name: str) -> bool | None:
    wanted = (namespace, names.child_name(name, names.ALLOW_SUFFIX))
    return None if policies is None else any(_key(each) == wanted for each in policies)


def _wanted(workloads: Iterable[Object] | None, namespace: str, name: str) -> int | None:
    if workloads is None:
        return None
    wanted = (namespace, names.child_name(name))
    return sum(int(each.get("spec", {}).get("replicas", 1)) for each in workloads if _key(each) == wanted)


def _endpoints(slices: Iterable[Object] | None) -> int | None:
    """How many ready addresses there are; of several Services each pod counts once."""
    if slices is None:
        return None
    ready = (
        address
        for each in slices
        for endpoint in each.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or ()
    )
    return len(set(ready))


def _annotations(obj: Object) -> Annotations:
    return obj["metadata"].get("annotations") or {}


def _key(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
