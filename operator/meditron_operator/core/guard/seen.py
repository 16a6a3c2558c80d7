"""What belongs to a deployment, cut down to what a stop needs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from meditron_operator import names
from meditron_operator.core.guard.carriers import Target
from meditron_operator.core.live import Ref

PAUSED: Final = "autoscaling.keda.sh/paused"
PAUSED_BY_GUARD: Final = f"{names.GROUP}/paused-by"
"""On a ScaledObject: only what the guard paused is let go again."""

_APP: Final = "meditron"
_OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod. Equal as long as nothing happened to it that a stop would answer."""

    ref: Ref
    uid: str
    deployment: str  # its label
    service_account: str
    models: bool  # made for a model: a label or an account of that name alone may be anybody's
    controller: Controller | None
    node: str
    ip: str
    gate_open: bool
    finished: bool
    deleting: bool
    grace_seconds: int | None  # of its deletion

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
        labels = metadata.get("labels") or {}
        gated = any(gate["conditionType"] == names.SERVING_GATE for gate in spec.get("readinessGates") or ())
        return cls(
            ref=Ref(kind="Pod", namespace=metadata["namespace"], name=metadata["name"]),
            uid=metadata["uid"],
            deployment=labels.get(names.DEPLOYMENT_LABEL, ""),
            service_account=spec.get("serviceAccountName", ""),
            models=gated or labels.get(names.NAME_LABEL) == _APP,
            controller=_controller(metadata),
            node=spec.get("nodeName", ""),
            ip=status.get("podIP", ""),
            gate_open=gated and _says(status, names.SERVING_GATE, "True"),
            finished=status.get("phase") in ("Succeeded", "Failed"),
            deleting="deletionTimestamp" in metadata,
            grace_seconds=metadata.get("deletionGracePeriodSeconds"),
        )

    def belongs_to(self, target: Target) -> bool:
        """By the label; by the service account, which a pod can't change; by who made it."""
        if self.deployment == target.ref.name or (self.models and self.service_account == target.child):
            return True
        made_by = self.controller
        return made_by is not None and (made_by.kind, made_by.name) == ("StatefulSet", target.child)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A child, with what tells whose it is."""

    ref: Ref
    uid: str
    controller: Controller | None
    deployment: str  # its label
    models: bool

    @staticmethod
    def fields(kind: str, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Of an object in wire form."""
        metadata = obj["metadata"]
        labels = metadata.get("labels") or {}
        return {
            "ref": Ref(kind=kind, namespace=metadata["namespace"], name=metadata["name"]),
            "uid": metadata["uid"],
            "controller": _controller(metadata),
            "deployment": labels.get(names.DEPLOYMENT_LABEL, ""),
            "models": labels.get(names.NAME_LABEL) == _APP,
        }

    def belongs_to(self, target: Target) -> bool:
        """Controlled by the deployment, also by one of its name before it, or by nobody and labelled as its own."""
        if self.controller is not None:
            by_name = (self.controller.kind, self.controller.name) == (names.KIND, target.ref.name)
            return by_name or self.controller.uid == target.uid
        return self.models and self.deployment == target.ref.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload(Owned):
    """A StatefulSet."""

    replicas: int

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        return cls(**Owned.fields("StatefulSet", obj), replicas=obj["spec"].get("replicas", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Owned):
    """A NetworkPolicy."""

    lets_in: bool

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        spec = obj["spec"]
        return cls(**Owned.fields("NetworkPolicy", obj), lets_in=bool(spec.get("ingress") or spec.get("egress")))

    def opens(self, target: Target) -> bool:
        """Whether it lets anybody but the operator and the guard in. By theirs the engine is asked whether it lives."""
        operate = names.child_name(target.ref.name, names.OPERATE_SUFFIX)
        return self.lets_in and self.ref.name != operate and self.belongs_to(target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler:
    """A ScaledObject of KEDA."""

    ref: Ref
    uid: str
    kind: str
    name: str
    paused: str | None
    paused_by: str | None

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        metadata, aim = obj["metadata"], (obj.get("spec") or {}).get("scaleTargetRef") or {}
        annotations = metadata.get("annotations") or {}
        return cls(
            ref=Ref(kind="ScaledObject", namespace=metadata["namespace"], name=metadata["name"]),
            uid=metadata["uid"],
            kind=aim.get("kind", "Deployment"),
            name=aim.get("name", ""),
            paused=annotations.get(PAUSED),
            paused_by=annotations.get(PAUSED_BY_GUARD),
        )

    def scales(self, target: Target) -> bool:
        return (self.kind, self.name) in ((names.KIND, target.ref.name), ("StatefulSet", target.child))


class NodeState(StrEnum):
    """What the word of a node is worth."""

    READY = "ready"  # its kubelet ends what it is told to
    LOST = "lost"  # what runs there may run on
    OFF = "off"  # a person said so: the node was deleted, or tainted as out of service

    @classmethod
    def of(cls, obj: Mapping[str, Any] | None) -> "NodeState":
        if obj is None:
            return cls.OFF
        if _says(obj.get("status") or {}, "Ready", "True"):
            return cls.READY
        taints = (obj.get("spec") or {}).get("taints") or ()
        return cls.OFF if any(taint.get("key") == _OUT_OF_SERVICE for taint in taints) else cls.LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that belongs to one deployment."""

    pods: tuple[Pod, ...] = ()
    workloads: tuple[Workload, ...] = ()
    policies: tuple[Policy, ...] = ()
    scalers: tuple[Scaler, ...] = ()

    def of_target(self, target: Target) -> "Seen":
        """What is its own among these."""
        return Seen(
            pods=tuple(pod for pod in self.pods if pod.belongs_to(target)),
            workloads=tuple(each for each in self.workloads if each.belongs_to(target)),
            policies=tuple(policy for policy in self.policies if policy.opens(target)),
            scalers=tuple(scaler for scaler in self.scalers if scaler.scales(target)),
        )


def open_endpoints(
    slices: Iterable[Mapping[str, Any]], services: frozenset[str], there: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Names of those Services that still lead somewhere, by their EndpointSlices.

    The headless one lists every pod as ready for as long as its object is there: what it says of those in `there`
    (uids) is no news.
    """
    return tuple(
        sorted(
            {
                service
                for each in slices
                if (service := each["metadata"].get("labels", {}).get("kubernetes.io/service-name")) in services
                and any(
                    _leads_on(endpoint)
                    for endpoint in each.get("endpoints") or ()
                    if not (service.endswith(names.HEADLESS_SUFFIX) and _pod_of(endpoint) in there)
                )
            }
        )
    )


def _pod_of(endpoint: Mapping[str, Any]) -> str:
    uid: str = (endpoint.get("targetRef") or {}).get("uid", "")
    return uid


def _leads_on(endpoint: Mapping[str, Any]) -> bool:
    """Not told means ready, as the API says."""
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready", True) is not False or conditions.get("serving") is True


def _controller(metadata: Mapping[str, Any]) -> Controller | None:
    owners = (owner for owner in metadata.get("ownerReferences") or () if owner.get("controller"))
    return next((Controller(kind=owner["kind"], name=owner["name"], uid=owner["uid"]) for owner in owners), None)


def _says(status: Mapping[str, Any], type_: str, value: str) -> bool:
    return any(item.get("type") == type_ and item.get("status") == value for item in status.get("conditions") or ())
