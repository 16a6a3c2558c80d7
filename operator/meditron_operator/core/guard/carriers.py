"""Deployments and namespaces as the guard reads them: annotations of the switch, and what a stop needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from meditron_operator import names
from meditron_operator.core.killswitch import Annotations, SwitchStatus
from meditron_operator.core.live import Ref

GRACE_SECONDS: Final = 30
LONGEST_GRACE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A namespace with its annotations of ours."""

    name: str
    uid: str
    annotations: Annotations
    admitted_at: str | None

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        metadata = obj["metadata"]
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            annotations=ours(metadata),
            admitted_at=admitted_at(metadata),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A MeditronDeployment, whatever its spec is."""

    ref: Ref
    uid: str
    resource_version: str
    annotations: Annotations
    admitted_at: str | None
    grace_seconds: int
    told: Any  # status.killSwitch as stored

    @property
    def key(self) -> tuple[str, str]:
        return self.ref.namespace, self.ref.name

    @property
    def child(self) -> str:
        """The name of its StatefulSet, ServiceAccount and Service."""
        return names.child_name(self.ref.name)

    @property
    def status(self) -> SwitchStatus | None:
        return SwitchStatus.of({"killSwitch": self.told})

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        metadata, status = obj["metadata"], obj.get("status")
        return cls(
            ref=Ref(kind=names.KIND, namespace=metadata["namespace"], name=metadata["name"]),
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            annotations=ours(metadata),
            admitted_at=admitted_at(metadata),
            grace_seconds=_grace(obj.get("spec")),
            told=status.get("killSwitch") if isinstance(status, Mapping) else None,
        )


def ours(metadata: Mapping[str, Any]) -> Annotations:
    """The annotations of our group."""
    annotations = metadata.get("annotations") or {}
    return {key: value for key, value in annotations.items() if key.startswith(f"{names.GROUP}/")}


def admitted_at(metadata: Mapping[str, Any]) -> str | None:
    """When the server took the kill switch in, by its own clock: the newest write that owns the annotation."""
    if names.KILL_SWITCH not in (metadata.get("annotations") or {}):
        return None
    entries = metadata.get("managedFields") or ()
    return max((entry["time"] for entry in entries if _owns_switch(entry) and entry.get("time")), default=None)


def _owns_switch(entry: Mapping[str, Any]) -> bool:
    match entry.get("fieldsV1"):
        case {"f:metadata": {"f:annotations": Mapping() as annotations}}:
            return f"f:{names.KILL_SWITCH}" in annotations
        case _:
            return False


def _grace(spec: Any) -> int:
    """Of a raw spec of any shape."""
    match spec:
        case {"shutdown": {"graceSeconds": int(seconds)}} if type(seconds) is int:
            return seconds if 1 <= seconds <= LONGEST_GRACE_SECONDS else GRACE_SECONDS
        case _:
            return GRACE_SECONDS
