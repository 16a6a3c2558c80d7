"""What a reconcile may write, in the order in which it is due."""

from dataclasses import dataclass, field
from typing import ClassVar

from meditron_operator.core.live import Live, Ref
from meditron_operator.core.observed import Pod
from meditron_operator.core.render.meta import Manifest
from meditron_operator.core.rollout import Rollout


@dataclass(frozen=True, slots=True)
class Create:
    manifest: Manifest
    based_on: ClassVar[str] = ""  # nothing has the name

    @property
    def ref(self) -> Ref:
        return ref_of(self.manifest)


@dataclass(frozen=True, slots=True)
class Replace:
    manifest: Manifest  # to send: whole, with uid and resourceVersion
    desired: Manifest  # as rendered

    @property
    def ref(self) -> Ref:
        return ref_of(self.manifest)

    @property
    def based_on(self) -> str:
        """The resourceVersion of what it replaces."""
        return str(self.manifest["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Delete:
    live: Live

    @property
    def ref(self) -> Ref:
        return self.live.ref

    @property
    def based_on(self) -> str:
        """The resourceVersion of what it deletes."""
        return self.live.resource_version


Step = Create | Replace | Delete


@dataclass(frozen=True, slots=True)
class Remove:
    """Take away one replica, so that its StatefulSet makes it anew."""

    pod: Pod

    @property
    def ref(self) -> Ref:
        return self.pod.ref


@dataclass(frozen=True, slots=True)
class SetGate:
    """Let clients in to one pod, or keep them out."""

    pod: Pod
    open: bool

    @property
    def ref(self) -> Ref:
        return self.pod.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Steps in the order in which they are due.

    Each step of `stop` is tried whatever becomes of the others, after `close`. `foundation` is complete before
    `workload` begins: no pod may start before the policy that denies it everything is there; and before `open`.
    The replicas of `remove` go last: what they are made from anew is then known.
    """

    close: tuple[SetGate, ...] = ()
    stop: tuple[Step, ...] = ()
    foundation: tuple[Step, ...] = ()
    open: tuple[SetGate, ...] = ()
    workload: tuple[Step, ...] = ()
    remove: tuple[Remove, ...] = ()
    prune: tuple[Step, ...] = ()
    foreign: tuple[Live, ...] = field(default=())  # in the way, and somebody else's
    waiting: tuple[Ref, ...] = ()  # not as the spec asks, and left so while the kill switch holds the pods
    fixed: str = ""  # what of the StatefulSet would have to change, and can't
    rollout: Rollout | None = None  # None where the spec asks for no template

    def __bool__(self) -> bool:
        return bool(
            self.close or self.stop or self.foundation or self.open or self.workload or self.remove or self.prune
        )


def ref_of(manifest: Manifest) -> Ref:
    """What a manifest names."""
    metadata = manifest["metadata"]
    return Ref(kind=manifest["kind"], namespace=metadata["namespace"], name=metadata["name"])
