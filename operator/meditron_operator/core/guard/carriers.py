"""Deployments and namespaces as the guard reads them: annotations of the switch, and what a stop needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from meditron_operator import names
from meditron_operator.core.killswitch import Annotations, SwitchStatus, admitted_at, grace_seconds, ours
from meditron_operator.core.live import Ref


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
            admitted_at=_switched_at(metadata),
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
            admitted_at=_switched_at(metadata),
            grace_seconds=grace_seconds(obj.get("spec")),
            told=status.get("killSwitch") if isinstance(status, Mapping) else None,
        )


def _switched_at(metadata: Mapping[str, Any]) -> str | None:
    """When the server took its kill switch in; None where there is none."""
    return admitted_at(metadata) if names.KILL_SWITCH in ours(metadata) else None
