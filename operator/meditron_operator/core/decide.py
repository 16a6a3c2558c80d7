"""What to write, from what is wanted and what is there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.assess import Accepted
from meditron_operator.core.auto import Surroundings
from meditron_operator.core.capacity import has_room, matching_nodes
from meditron_operator.core.compare import Settled, matches, same_template, unchangeable, updated
from meditron_operator.core.engines import ENGINES
from meditron_operator.core.killswitch import Off, Stop
from meditron_operator.core.live import Live, Ref
from meditron_operator.core.observed import Cluster, Gate, Pod
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import APP, Manifest, Owner, selector_labels
from meditron_operator.core.render.network import deny
from meditron_operator.core.rollout import Circumstances, History, Rollout, roll
from meditron_operator.core.spec import SpecError
from meditron_operator.core.steps import Create, Decision, Delete, Remove, Replace, SetGate, Step, ref_of

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
    moment: datetime
    """Now, of this pass."""
    history: History = field(default_factory=History)
    """What is remembered of earlier templates."""
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
    wanted, rollout = _wanted(case, case.verdict, cluster, settled)
    due, foreign = _due(case.owner, wanted, cluster, settled)
    prune = _prune(case.owner, wanted, cluster)
    waiting = tuple(step.ref for step in (*due, *prune) if case.held and _is_kept(step.ref, case.owner))
    elsewhere = {step.ref for step in stop}.union(waiting)
    due = [step for step in due if step.ref not in elsewhere]
    fixed = _fixed(wanted, workload_of(cluster, case.owner))
    changes = tuple(step for step in due if step.ref.kind == WORKLOAD and not fixed)
    return Decision(
        close=close,
        stop=stop,
        foundation=tuple(step for step in due if step.ref.kind != WORKLOAD),
        open=open_,
        workload=(*changes, *_lower(case, case.verdict, cluster)),
        remove=tuple(map(Remove, rollout.remove)),
        prune=tuple(step for step in prune if step.ref not in elsewhere),
        foreign=tuple(foreign),
        waiting=waiting,
        fixed=fixed,
        rollout=rollout,
    )


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


def _wanted(
    case: Case, accepted: Accepted, cluster: Cluster, settled: Mapping[str, Settled]
) -> tuple[list[Manifest], Rollout]:
    """Every child, the StatefulSet with the template and the partition that are its turn."""
    site = Site(operator_namespace=case.operator_namespace, image=accepted.image, stopped=case.cut)
    *others, workload = desired(case.owner, accepted.sized, site)
    live = workload_of(cluster, case.owner)
    same = live is not None and same_template(workload, live, settled.get(live.uid))
    rollout = roll(_circumstances(case, accepted, cluster, workload["spec"]["template"], same=same))
    spec = {**workload["spec"], "template": rollout.template}
    spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": rollout.partition}}
    return [*others, {**workload, "spec": spec}], rollout


def _circumstances(
    case: Case, accepted: Accepted, cluster: Cluster, template: Manifest, *, same: bool
) -> Circumstances:
    sized, live = accepted.sized, workload_of(cluster, case.owner)
    gpu, spec = sized.demand.gpu, sized.spec
    nodes = matching_nodes(cluster.nodes, gpu, spec.gpu.node_selector)

    def room(leaving: Pod) -> bool:
        staying = [pod for pod in cluster.gpu_pods if pod.uid != leaving.uid]
        return has_room(nodes, staying, gpu.resource_name, sized.plan.gpus_per_replica)

    return Circumstances(
        template=template,
        same=same,
        workload=live,
        pods=replicas_of(live, cluster),
        wanted=spec.replicas,
        allow_outage=spec.rollout.allow_outage,
        roll_back=spec.rollout.on_failure == "rollback",
        frozen=case.stop is not None,
        startup_seconds=ENGINES[spec.engine.name](sized).startup_budget_seconds,
        room=room,
        history=case.history,
        moment=case.moment,
    )


def _fixed(wanted: Iterable[Manifest], workload: Live | None) -> str:
    if workload is None:
        return ""
    return next((unchangeable(manifest, workload) for manifest in wanted if manifest["kind"] == WORKLOAD), "")


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
