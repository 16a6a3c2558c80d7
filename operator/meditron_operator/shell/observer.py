"""What is known of the cluster: one watch for each kind, all of them behind one door."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.live import Live, Ref
from meditron_operator.core.observed import Cluster as Observed
from meditron_operator.core.observed import Node, Pod
from meditron_operator.shell.cluster import CHILDREN, DEPLOYMENTS, NETWORK_POLICIES, NODES, PODS, Cluster
from meditron_operator.shell.watch import ObjectKey, Store, Watch
from meditron_operator.shell.workqueue import Chance

_PRODUCT_LABELS: Final = frozenset(gpu.product_label for gpu in GPUS.values())

_NOBODY: Final = ""  # in the place of a deployment's name

Wake = Callable[[ObjectKey], None]


class Observer:
    """Stores and watches of everything that a reconcile reads. `wake` hears which deployment is concerned."""

    def __init__(self, cluster: Cluster, wake: Wake, chance: Chance) -> None:
        self._wake = wake
        self.deployments = Store[Live](
            lambda obj: Live.of(names.KIND, obj),
            lambda live: live.ref.namespace,
            lambda live: wake(_name_of(live.ref)),
        )
        self._children = {kind: self._child_store(kind) for kind in CHILDREN}
        self._pods = Store[Pod](_pod_of_interest, _deployment_of, self._pod_changed)
        self._nodes = Store[Node](_gpu_node, lambda _: None, lambda _: None)

        def watch(resource: Any, store: Store[Any], selector: str = "") -> Watch[Any]:
            return Watch(cluster, resource, store, selector, chance)

        # Policies of others can open what ours close, and anybody's pods hold GPUs: those two without a selector.
        self.watches: Final = [
            *(
                watch(CHILDREN[kind], store, "" if kind == NETWORK_POLICIES.kind else names.DEPLOYMENT_LABEL)
                for kind, store in self._children.items()
            ),
            watch(PODS, self._pods),
            watch(NODES, self._nodes),
        ]

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watch in self.watches:
                group.create_task(watch.run())

    async def synced(self) -> None:
        """Returns once every kind has been listed: before that, absence means nothing."""
        await asyncio.gather(*(watch.synced.wait() for watch in self.watches))

    def deployment(self, key: ObjectKey) -> Live | None:
        """The deployment as last seen."""
        return self.deployments.get(key)

    def around(self, key: ObjectKey, others: Iterable[Live] = ()) -> Observed:
        """The cluster as it concerns one deployment. `others` are objects in the place of its children that
        the watches don't show, because they lack our label."""
        return Observed(
            children=(*(live for store in self._children.values() for live in store.group(key)), *others),
            policies=self._children[NETWORK_POLICIES.kind].group((key[0], _NOBODY)),
            pods=self._pods.group(key),
            nodes=self._nodes.all(),
            gpu_pods=self._pods.all(),
        )

    def written(self, kind: str, answer: Mapping[str, Any]) -> None:
        """Take in what the server answered to a write, ahead of the watch."""
        store = self.deployments if kind == DEPLOYMENTS.kind else self._children[kind]
        store.put(answer)

    def deleted(self, ref: Ref) -> None:
        """Take in that the server deleted an object, ahead of the watch."""
        store = self.deployments if ref.kind == DEPLOYMENTS.kind else self._children[ref.kind]
        store.discard(_name_of(ref))

    def _child_store(self, kind: str) -> Store[Live]:
        return Store[Live](lambda obj: Live.of(kind, obj), _owner_of, self._child_changed)

    def _child_changed(self, live: Live) -> None:
        key = live.owner_key
        if key is not None:
            self._wake(key)
            return
        for deployment in self.deployments.group(live.ref.namespace):  # a policy of nobody's concerns them all
            self._wake(_name_of(deployment.ref))

    def _pod_changed(self, pod: Pod) -> None:
        key = _deployment_of(pod)
        if key is not None:
            self._wake(key)


def _name_of(ref: Ref) -> ObjectKey:
    return ref.namespace, ref.name


def _owner_of(live: Live) -> ObjectKey:
    return live.owner_key or (live.ref.namespace, _NOBODY)


def _deployment_of(pod: Pod) -> ObjectKey | None:
    return (pod.ref.namespace, pod.deployment) if pod.deployment else None


def _pod_of_interest(obj: Mapping[str, Any]) -> Pod | None:
    """Ours, or one that asks for GPUs; the cluster's other pods are forgotten at once."""
    pod = Pod.of(obj)
    return pod if pod.deployment or pod.gpus else None


def _gpu_node(obj: Mapping[str, Any]) -> Node | None:
    node = Node.of(obj)
    return node if node.gpus or _PRODUCT_LABELS & node.labels.keys() else None
