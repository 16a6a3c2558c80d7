"""What the operator remembers of an object in the cluster: what it compares, and no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from meditron_operator import names
from meditron_operator.core.killswitch.admitted import admitted_at

Manifest = dict[str, Any]
"""One object in wire form."""

_SERVER_OWNED: Final = ("managedFields", "selfLink", "creationTimestamp", "generation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Names one object of one kind."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One child as the API server last showed it."""

    ref: Ref
    uid: str
    resource_version: str
    generation: int
    body: Mapping[str, Any]  # wire form without server-owned metadata and without status
    status: Mapping[str, Any]
    kill_admitted_at: str | None = None  # of a deployment: since when the annotation of its kill switch stands

    @classmethod
    def of(cls, kind: str, obj: Mapping[str, Any]) -> Self:
        """Of an object in wire form. Items of a LIST carry no kind, so it is an argument."""
        meta = obj["metadata"]
        kept = {key: value for key, value in meta.items() if key not in _SERVER_OWNED}
        body = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata", "status")}
        return cls(
            ref=Ref(kind=kind, namespace=meta.get("namespace", ""), name=meta["name"]),
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
            generation=meta.get("generation", 0),
            body={"metadata": kept, **body},
            status=status if isinstance(status := obj.get("status"), Mapping) else {},
            kill_admitted_at=admitted_at(meta),
        )

    @property
    def metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.body["metadata"]
        return metadata

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.metadata.get("labels", {})
        return labels

    @property
    def controller(self) -> Mapping[str, Any] | None:
        """The owner reference of the controller, if the object has one."""
        return next((owner for owner in self.metadata.get("ownerReferences", ()) if owner.get("controller")), None)

    @property
    def owner_key(self) -> tuple[str, str] | None:
        """Namespace and name of the MeditronDeployment that controls it, or that its label names."""
        controller = self.controller
        if controller is not None and controller["kind"] == names.KIND:
            return self.ref.namespace, controller["name"]
        label = self.labels.get(names.DEPLOYMENT_LABEL)
        return (self.ref.namespace, label) if label else None

    def controlled_by(self, uid: str) -> bool:
        """Whether the object with `uid` is its controller."""
        return self.controller is not None and self.controller["uid"] == uid
