"""What to write, from what is wanted and what is there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.assess import Accepted
from meditron_operator.core.auto import Surroundings
from meditron_operator.core.compare import Settled, matches, updated
from meditron_operator.core.killswitch import Off, Stop
from meditron_operator.core.live import Live, Ref
from meditron_operator.core.observed import Cluster, Gate, Pod
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import APP, Manifest, Owner, selector_labels
from meditron_operator.core.render.network import deny
from meditron_operator.core.spec import SpecError

WORKLOAD: Final = "StatefulSet"

# The kinds that a changed spec may no longer ask for; the operator has the right to delete no others.
PRUNABLE: Final = frozenset({"NetworkPolicy", "PodDisruptionBudget"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One deployment as its own object tells it."""

    owner: Owner
    generation: int
    stop: Stop | None
    verdict: Accepted | SpecError
    operator_namespace: str
    deleting: bool = False  # its finalizers hold it: nothing new for it, but it can still be stopped

    @property
    def off(self) -> Off | None:
        """Why it must not serve."""
        return self.stop.off if self.stop else None

    @property
    def cut(self) -> bool:
        """Whether no client may connect and no pod may run."""
        return self.stop is not None and self.stop.measures.cut

    @property
    def held(self) -> bool:
        """Whether nobody new gets in, and the pods stay warm as they are."""
        return self.stop is not None and not self.stop.measures.cut


@dataclass(frozen=True, slots=True)
class Create:
    manifest: Manifest

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


@dataclass(frozen=True, slots=True)
class Delete:
    live: Live

    @property
    def ref(self) -> Ref:
        return self.live.ref


Step = Create | Replace | Delete


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
    """

    close: tuple[SetGate, ...] = ()
    stop: tuple[Step, ...] = ()
    foundation: tuple[Step, ...] = ()
    open: tuple[SetGate, ...] = ()
    workload: tuple[Step, ...] = ()
    prune: tuple[Step, ...] = ()
    foreign: tuple[Live, ...] = field(default=())  # in the way, and somebody else's
    waiting: tuple[Ref, ...] = ()  # not as the spec asks, and left so while the kill switch holds the pods

    def __bool__(self) -> bool:
        return bool(self.close or self.stop or self.foundation or self.open or self.workload or self.prune)


def decide(case: Case, cluster: Cluster, settled: Mapping[str, Settled]) -> Decision:
    """The writes that bring the children to what the deployment asks for; none when they agree.

    `settled` is keyed by the uid of a child. A spec that can't be carried out changes nothing, except that a
    kill switch stops whatever is there, and that what runs stays shut in. A hold closes the gates and leaves the
    pods alone.
    """
    close, stop, open_ = _close(case, cluster), _stop(case, cluster), _open(case, cluster)
    if case.deleting:
        return Decision(close=close, stop=stop, open=open_)
    if isinstance(case.verdict, SpecError):
        return Decision(close=close, stop=stop, foundation=tuple(_isolation(case.owner, cluster, settled)), open=open_)
    wanted = _wanted(case, case.verdict)
    due, foreign = _due(case.owner, wanted, cluster, settled)
    prune = _prune(case.owner, wanted, cluster)
    waiting = tuple(step.ref for step in (*due, *prune) if case.held and _is_kept(step.ref, case.owner))
    elsewhere = {step.ref for step in stop}.union(waiting)
    due = [step for step in due if step.ref not in elsewhere]
    return Decision(
        close=close,
        stop=stop,
        foundation=tuple(step for step in due if step.ref.kind != WORKLOAD),
        open=open_,
        workload=(*(step for step in due if step.ref.kind == WORKLOAD), *_lower(case, case.verdict, cluster)),
        prune=tuple(step for step in prune if step.ref not in elsewhere),
        foreign=tuple(foreign),
        waiting=waiting,
    )


def ref_of(manifest: Manifest) -> Ref:
    """What a manifest names."""
    metadata = manifest["metadata"]
    return Ref(kind=manifest["kind"], namespace=metadata["namespace"], name=metadata["name"])


def is_ours(live: Live, owner: Owner) -> bool:
    """Whether the operator may change it for `owner`: controlled by it, or by nobody and labelled as its child
    (somebody took the owner reference off by hand)."""
    if live.controller is not None:
        return live.controlled_by(owner.uid)
    ours = {names.DEPLOYMENT_LABEL: owner.name, names.NAME_LABEL: APP}
    return ours.items() <= live.labels.items()


def workload_of(cluster: Cluster, owner: Owner) -> Live | None:
    """The StatefulSet, if it is ours."""
    live = cluster.child(WORKLOAD, names.child_name(owner.name))
    return live if live is not None and is_ours(live, owner) else None


def replicas_of(workload: Live | None, cluster: Cluster) -> tuple[Pod, ...]:
    """What the StatefulSet made: other pods may carry the label or the service account too."""
    uid = workload.uid if workload else None
    return tuple(pod for pod in cluster.pods if pod.controller is not None and pod.controller == uid)


def surroundings(cluster: Cluster, owner: Owner) -> Surroundings:
    """What the choice of a card for `owner` depends on."""
    workload = workload_of(cluster, owner)
    return Surroundings(
        nodes=cluster.nodes,
        gpu_pods=cluster.gpu_pods,
        workload=workload,
        serving=any(pod.is_warm for pod in replicas_of(workload, cluster)),
    )


def _wanted(case: Case, accepted: Accepted) -> list[Manifest]:
    site = Site(operator_namespace=case.operator_namespace, image=accepted.image, stopped=case.cut)
    return desired(case.owner, accepted.sized, site)


def _stop(case: Case, cluster: Cluster) -> tuple[Step, ...]:
    """Clients first, then the pods. Works on what is there, so that no error of the spec is in its way."""
    if not case.cut:
        return ()
    allow = cluster.child("NetworkPolicy", names.child_name(case.owner.name, names.ALLOW_SUFFIX))
    workload = cluster.child(WORKLOAD, names.child_name(case.owner.name))
    steps: list[Step] = []
    if allow is not None and is_ours(allow, case.owner):
        steps.append(Delete(allow))
    if workload is not None and is_ours(workload, case.owner) and workload.body["spec"].get("replicas") != 0:
        steps.append(_at(0, workload, case.owner))
    return tuple(steps)


def _is_kept(ref: Ref, owner: Owner) -> bool:
    """What a hold leaves as it is: the pods, since a change would restart them or make new ones, and the policy by
    which clients read the rest of their answers."""
    allow = ("NetworkPolicy", names.child_name(owner.name, names.ALLOW_SUFFIX))
    return ref.kind == WORKLOAD or (ref.kind, ref.name) == allow


def _lower(case: Case, accepted: Accepted, cluster: Cluster) -> tuple[Step, ...]:
    """Fewer replicas are taken away from a hold, as somebody asks for; nothing is ever added to it."""
    workload, wanted = workload_of(cluster, case.owner), accepted.sized.spec.replicas
    if not case.held or workload is None or workload.body["spec"].get("replicas", 0) <= wanted:
        return ()
    return (_at(wanted, workload, case.owner),)


def _close(case: Case, cluster: Cluster) -> tuple[SetGate, ...]:
    """Every open gate while stopped, also of a pod that ends already: a Service without a ready pod goes on sending
    clients to those that end and are ready."""
    if case.stop is None:
        return ()
    return tuple(SetGate(pod, open=False) for pod in cluster.pods if pod.gate is Gate.OPEN and not pod.finished)


def _open(case: Case, cluster: Cluster) -> tuple[SetGate, ...]:
    """The gates of replicas whose engine is healthy. What was opened stays open: kubelet sends nobody to an engine
    that is not healthy, gate or not."""
    if case.stop is not None:
        return ()
    replicas = replicas_of(workload_of(cluster, case.owner), cluster)
    return tuple(
        SetGate(pod, open=True)
        for pod in replicas
        if pod.gate is Gate.CLOSED and pod.containers_ready and not pod.deleting
    )


def _at(replicas: int, workload: Live, owner: Owner) -> Replace:
    """The StatefulSet as it is, at so many replicas, and with the label by which its watch sees what becomes of it."""
    identity = {"apiVersion": "apps/v1", "kind": workload.ref.kind}
    labels = {**workload.labels, **selector_labels(owner.name)}
    metadata: dict[str, Any] = {**workload.metadata, "labels": labels}
    body = {
        **identity,
        **workload.body,
        "metadata": metadata,
        "spec": {**workload.body["spec"], "replicas": replicas},
    }
    return Replace(manifest=body, desired=body)


def _isolation(owner: Owner, cluster: Cluster, settled: Mapping[str, Settled]) -> list[Step]:
    """The deny-policy of what runs already: it depends on nothing in the spec."""
    workload = cluster.child(WORKLOAD, names.child_name(owner.name))
    if workload is None or not is_ours(workload, owner):
        return []
    steps, _ = _due(owner, [deny(owner)], cluster, settled)
    return steps


def _due(
    owner: Owner, wanted: Iterable[Manifest], cluster: Cluster, settled: Mapping[str, Settled]
) -> tuple[list[Step], list[Live]]:
    steps: list[Step] = []
    foreign: list[Live] = []
    for manifest in wanted:
        ref = ref_of(manifest)
        live = cluster.child(ref.kind, ref.name)
        if live is None:
            steps.append(Create(manifest))
        elif not is_ours(live, owner):
            foreign.append(live)
        elif not matches(manifest, live, settled.get(live.uid)):
            steps.append(Replace(manifest=updated(manifest, live), desired=manifest))
    return steps, foreign


def _prune(owner: Owner, wanted: Sequence[Manifest], cluster: Cluster) -> list[Step]:
    """Children of ours that the spec no longer asks for. One that lost its owner reference goes only where it
    has a child's name: a copy that somebody made is not ours."""
    kept, own = {ref_of(manifest) for manifest in wanted}, names.child_names(owner.name)
    candidates = (live for live in cluster.children if live.ref.kind in PRUNABLE and live.ref not in kept)
    return [
        Delete(live)
        for live in candidates
        if live.controlled_by(owner.uid) or (live.ref.name in own and is_ours(live, owner))
    ]
