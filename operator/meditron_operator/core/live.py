"""What the operator remembers of an object in the cluster: what it compares, and no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

import orjson

from meditron_operator import names
from meditron_operator.core.killswitch.admitted import admitted_at

Manifest = dict[str, Any]
"""One object in wire form."""

_SERVER_OWNED: Final = ("managedFields", "selfLink", "creationTimestamp", "generation")
_AT_HAND: Final = 256  # objects whose text is not read again: those of the passes that run at the same time, and more


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
    """One object as the API server last showed it.

    What it says is kept as text: there are thousands, few are looked at at the same time, and read they take several
    times the room.
    """

    ref: Ref
    uid: str
    resource_version: str
    generation: int
    owner_key: tuple[str, str] | None
    """Namespace and name of the MeditronDeployment that controls it, or that its label names."""
    text: bytes  # JSON: a list of the body and the status
    kill_admitted_at: str | None = None  # of a deployment: since when the annotation of its kill switch stands

    @classmethod
    def of(cls, kind: str, obj: Mapping[str, Any]) -> Self:
        """Of an object in wire form. Items of a LIST carry no kind, so it is an argument."""
        meta, status = obj["metadata"], obj.get("status")
        kept = {key: value for key, value in meta.items() if key not in _SERVER_OWNED}
        body = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata", "status")}
        text = orjson.dumps(({"metadata": kept, **body}, status if isinstance(status, Mapping) else {}))
        return cls(
            ref=Ref(kind=kind, namespace=meta.get("namespace", ""), name=meta["name"]),
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
            generation=meta.get("generation", 0),
            owner_key=_owner_key(meta),
            text=bytes(memoryview(text)),  # a copy in its size: orjson's own has room for four times as much
            kill_admitted_at=admitted_at(meta),
        )

    @property
    def body(self) -> Mapping[str, Any]:
        """Its wire form without server-owned metadata and without status. Nobody changes it: it is shared."""
        return _read(self.text)[0]

    @property
    def status(self) -> Mapping[str, Any]:
        """Its status; empty without one. Shared, as the body is."""
        return _read(self.text)[1]

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
        return _controller(self.metadata)

    def controlled_by(self, uid: str) -> bool:
        """Whether the object with `uid` is its controller."""
        return self.controller is not None and self.controller["uid"] == uid


@lru_cache(maxsize=_AT_HAND)
def _read(text: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    body, status = orjson.loads(text)
    return body, status


def _controller(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((owner for owner in metadata.get("ownerReferences", ()) if owner.get("controller")), None)


def _owner_key(metadata: Mapping[str, Any]) -> tuple[str, str] | None:
    namespace, controller = metadata.get("namespace", ""), _controller(metadata)
    if controller is not None and controller["kind"] == names.KIND:
        return namespace, controller["name"]
    label = metadata.get("labels", {}).get(names.DEPLOYMENT_LABEL)
    return (namespace, label) if label else None
