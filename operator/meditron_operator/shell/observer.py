"""What is known of the cluster: one watch for each kind, all of them behind one door."""

import asyncio
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.killswitch import Annotations, Off, Scope, admitted_at, drain_since, effective, ours
from meditron_operator.core.live import Live, Ref
from meditron_operator.core.observed import Cluster as Observed
from meditron_operator.core.observed import Node, Pod
from meditron_operator.core.spec import AUTO_GPU
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import (
    CHILDREN,
    DEPLOYMENTS,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    Cluster,
    Resource,
)
from meditron_operator.shell.extent import ALL, Extent, Reach
from meditron_operator.shell.store import Both, Feed, ObjectKey, Store
from meditron_operator.shell.watch import Watch

_PRODUCT_LABELS: Final = frozenset(gpu.product_label for gpu in GPUS.values())

_NOBODY: Final = ""  # in the place of a deployment's name

Wake = Callable[[ObjectKey], None]


@dataclass(frozen=True, slots=True)
class Switch:
    """A carrier of the kill switch, cut down to what is read of it."""

    namespace: str
    annotations: Annotations
    admitted_at: str | None = None  # since when its kill annotation stands


class _Switches(Store[Switch]):
    """A namespace that a list leaves out keeps its switch: a list may be wrong, and only people release."""

    def retain(self, keys: Set[ObjectKey], version: str, extent: Extent = ALL) -> bool:
        """Its deletion is told by the watch; one that was missed costs a few bytes, until its name is there again."""
        return bool(self._left_out_by(keys, version, extent))


class Observer:
    """Stores and watches of everything that a reconcile reads. `wake` hears which deployment is concerned."""

    def __init__(self, cluster: Cluster, wake: Wake, chance: Chance, reach: Reach) -> None:
        self._wake = wake
        self._operator_namespace = reach.operator_namespace
        self.deployments = Store[Live](
            lambda obj: Live.of(names.KIND, obj),
            lambda live: live.ref.namespace,
            lambda live: wake(_name_of(live.ref)),
        )
        self._children = {kind: self._child_store(kind) for kind in CHILDREN}
        # A policy can be hidden behind any label or owner: this one tells which pods each can select.
        self._selecting = Store[Live](
            lambda obj: Live.of(NETWORK_POLICIES.kind, obj), _selected_by, self._policy_changed
        )
        self._feeds: dict[str, Feed] = {**self._children}
        self._feeds[NETWORK_POLICIES.kind] = Both(self._children[NETWORK_POLICIES.kind], self._selecting)
        self._feeds[DEPLOYMENTS.kind] = self.deployments
        self._pods = Store[Pod](_pod_of_interest, _child_of, self._pod_changed)
        self._feeds[PODS.kind] = self._pods
        self._nodes = Store[Node](_gpu_node, lambda _: None, self._node_changed)
        self._nodes_told = True
        self._switches = _Switches(_switch, lambda _: None, self._switch_changed)

        def watch(resource: Resource, store: Feed, extents: Iterable[Extent]) -> Iterator[Watch]:
            return (Watch(cluster, resource, store, extent, chance) for extent in extents)

        # Policies of others can open what ours close, and anybody's pods hold GPUs: those two without a selector.
        self.watches: Final = [
            *watch(DEPLOYMENTS, self.deployments, reach.extents()),
            *itertools.chain.from_iterable(
                watch(
                    CHILDREN[kind],
                    self._feeds[kind],
                    reach.extents("" if kind == NETWORK_POLICIES.kind else names.DEPLOYMENT_LABEL),
                )
                for kind in CHILDREN
            ),
            *watch(PODS, self._pods, reach.extents()),
            *watch(NODES, self._nodes, [ALL]),
            *watch(NAMESPACES, self._switches, reach.switches()),
        ]

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watch in self.watches:
                group.create_task(watch.run())

    async def synced(self) -> None:
        """Returns once every kind has been listed: before that, absence means nothing. One of several namespaces
        that may not be looked at (it is gone, perhaps) does not keep the others waiting."""
        await asyncio.gather(*(_first_word(watch).wait() for watch in self.watches))

    @property
    def is_synced(self) -> bool:
        """Whether that is so."""
        return all(_first_word(watch).is_set() for watch in self.watches)

    def knows(self, namespace: str) -> bool:
        """Whether every kind has been listed there."""
        return all(watch.synced.is_set() for watch in self.watches if watch.extent.namespace in ("", namespace))

    @property
    def shut(self) -> frozenset[str]:
        """Namespaces of several that may not be looked at now."""
        return frozenset(watch.extent.namespace for watch in self.watches if watch.refused) - {""}

    def heard(self) -> dict[str, float | None]:
        """When each kind was last heard of, where it is heard of least; None for never. Without what is shut."""
        shut, found = self.shut, dict[str, list[float | None]]()
        for watch in self.watches:
            if watch.extent.namespace not in shut:
                found.setdefault(watch.resource.plural, []).append(watch.last_heard)
        return {plural: oldest(moments) for plural, moments in found.items()}

    def deployment(self, key: ObjectKey) -> Live | None:
        """The deployment as last seen."""
        return self.deployments.get(key)

    def off(self, deployment: Live) -> Off | None:
        """Why it must not run, None when it may."""
        return effective({scope: switch.annotations for scope, switch in self._scopes(deployment).items()})

    def carrier(self, scope: Scope, deployment: Live) -> Annotations:
        """The annotations of that scope for a deployment."""
        switch = self._scopes(deployment).get(scope)
        return switch.annotations if switch else {}

    def drain_since(self, deployment: Live) -> str | None:
        """Since when a drain is asked for, by the API server's clock."""
        return drain_since((switch.annotations, switch.admitted_at) for switch in self._scopes(deployment).values())

    def around(self, key: ObjectKey, others: Iterable[Live] = ()) -> Observed:
        """The cluster as it concerns one deployment. `others` are objects in the place of its children that
        the watches don't show for this deployment: without our label, or labelled for another."""
        return Observed(
            children=(*(live for store in self._children.values() for live in store.group(key)), *others),
            policies=(*self._selecting.group(key), *self._selecting.group((key[0], _NOBODY))),
            pods=self._pods.group((key[0], names.child_name(key[1]))),
            nodes=self._nodes.all(),
            gpu_pods=self._pods.all(),
        )

    def doubts(self, ref: Ref) -> bool:
        """Whether a child that was there is absent from a list, and nobody told of its deletion."""
        return self._children[ref.kind].is_left_out(_name_of(ref))

    def written(self, kind: str, answer: Mapping[str, Any]) -> None:
        """Take in what the server answered to a write, ahead of the watch. The pass that wrote goes on with it; only
        what may follow from a status is the next one's."""
        self._feeds[kind].put(answer, quiet=kind != names.KIND)

    def found(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in what was read by its name."""
        self._feeds[kind].confirm(body)

    def deleted(self, ref: Ref) -> None:
        """Take in that the server deleted an object, ahead of the watch."""
        self._feeds[ref.kind].discard(_name_of(ref))

    def _child_store(self, kind: str) -> Store[Live]:
        return Store[Live](lambda obj: Live.of(kind, obj), _owner_of, self._child_changed)

    def _child_changed(self, live: Live) -> None:
        key = live.owner_key
        if key is not None:
            self._wake(key)

    def _policy_changed(self, live: Live) -> None:
        """It concerns the one whose pods it names, or everybody in the namespace."""
        namespace, name = _selected_by(live)
        if name != _NOBODY:
            self._wake((namespace, name))
            return
        for deployment in self.deployments.group(namespace):
            self._wake(_name_of(deployment.ref))

    def _node_changed(self, _: Node) -> None:
        """It concerns who chooses among the cards; once for all nodes that changed at the same time."""
        if self._nodes_told:
            self._nodes_told = False
            asyncio.get_running_loop().call_soon(self._wake_choosers)

    def _wake_choosers(self) -> None:
        self._nodes_told = True
        for deployment in self.deployments.all():
            if _chooses(deployment):
                self._wake(_name_of(deployment.ref))

    def _scopes(self, deployment: Live) -> Mapping[Scope, Switch]:
        namespace, own = deployment.ref.namespace, ours(deployment.metadata)
        return {
            Scope.DEPLOYMENT: Switch(namespace, own, deployment.kill_admitted_at),
            Scope.NAMESPACE: self._switch_of(namespace),
            Scope.CLUSTER: self._switch_of(self._operator_namespace),
        }

    def _switch_of(self, namespace: str) -> Switch:
        return self._switches.get(("", namespace)) or Switch(namespace, {})

    def _switch_changed(self, switch: Switch) -> None:
        """It concerns the namespace, or everybody when it is the operator's."""
        whole_cluster = switch.namespace == self._operator_namespace
        for deployment in self.deployments.all() if whole_cluster else self.deployments.group(switch.namespace):
            self._wake(_name_of(deployment.ref))

    def _pod_changed(self, pod: Pod) -> None:
        self._wake((pod.ref.namespace, pod.deployment or pod.service_account))


def oldest(moments: Collection[float | None]) -> float | None:
    """The first of these moments; never came before all."""
    known = [moment for moment in moments if moment is not None]
    return min(known) if len(known) == len(moments) else None


def _first_word(watch: Watch) -> asyncio.Event:
    """What says that the server answered: where nothing else works without it, only with a list."""
    return watch.answered if watch.extent.namespace else watch.synced


def _chooses(deployment: Live) -> bool:
    """Whether its raw spec leaves the card to the operator; it may be of any shape."""
    match deployment.body.get("spec"):
        case {"gpu": {"type": str(card)}}:
            return card == AUTO_GPU
        case _:
            return False


def _name_of(ref: Ref) -> ObjectKey:
    return ref.namespace, ref.name


def _owner_of(live: Live) -> ObjectKey:
    return live.owner_key or (live.ref.namespace, _NOBODY)


def _child_of(pod: Pod) -> ObjectKey:
    """By the label, and where somebody took that off, by the service account, which a pod can't change."""
    return pod.ref.namespace, names.child_name(pod.deployment) if pod.deployment else pod.service_account


def _selected_by(policy: Live) -> ObjectKey:
    """The deployment that its selector pins itself to, else nobody: then it may select anybody's pods."""
    pinned = policy.body["spec"].get("podSelector", {}).get("matchLabels", {}).get(names.DEPLOYMENT_LABEL)
    return policy.ref.namespace, pinned or _NOBODY


def _pod_of_interest(obj: Mapping[str, Any]) -> Pod | None:
    """Ours, or one that asks for GPUs; the cluster's other pods are forgotten at once."""
    pod = Pod.of(obj)
    return pod if pod.deployment or pod.gpus else None


def _switch(obj: Mapping[str, Any]) -> Switch | None:
    """Most namespaces have none."""
    annotations = ours(obj["metadata"])
    return Switch(obj["metadata"]["name"], annotations, admitted_at(obj["metadata"])) if annotations else None


def _gpu_node(obj: Mapping[str, Any]) -> Node | None:
    node = Node.of(obj)
    return node if node.gpus or _PRODUCT_LABELS & node.labels.keys() else None
