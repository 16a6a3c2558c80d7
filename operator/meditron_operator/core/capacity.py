"""Where GPUs are free, and how many are missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.observed import Node, Pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What waiting pods lack on the nodes that could take them."""

    missing: int  # GPUs
    free: Mapping[str, int]  # by node, only nodes with a free GPU
    total: int  # GPUs on all these nodes
    holders: tuple[str, ...]  # namespace/pod, most GPUs first


def matching_nodes(nodes: Iterable[Node], gpu: Gpu, node_selector: Mapping[str, str]) -> list[Node]:
    """Nodes with this very card that also carry the labels that the spec asks for."""
    return [
        node
        for node in nodes
        if node.labels.get(gpu.product_label) in gpu.products and node_selector.items() <= node.labels.items()
    ]


def free_gpus(nodes: Sequence[Node], gpu_pods: Iterable[Pod], resource: str) -> dict[str, int]:
    """GPUs that no pod holds, by node; a cordoned node offers none."""
    held = Counter[str]()
    for pod in gpu_pods:
        if pod.holds_gpus and pod.node is not None:
            held[pod.node] += pod.gpus.get(resource, 0)
    return {node.name: max(0, node.gpus.get(resource, 0) - held[node.name]) for node in nodes if node.schedulable}


def shortage(
    nodes: Sequence[Node], gpu_pods: Sequence[Pod], resource: str, *, waiting: int, gpus_each: int
) -> Shortage:
    """How many GPUs `waiting` pods of `gpus_each` lack, counting on the fullest use of what is free.

    A pod needs all its GPUs on one node, so two free ones on each of two nodes don't help a pod that needs four.
    """
    free = free_gpus(nodes, gpu_pods, resource)
    left = dict(free)
    missing = 0
    for _ in range(waiting):
        best = max(left, key=lambda name: (left[name], name), default=None)
        usable = left[best] if best is not None else 0
        missing += max(0, gpus_each - usable)
        if best is not None:
            left[best] = max(0, usable - gpus_each)
    on = {node.name for node in nodes}
    holders = sorted(
        (pod for pod in gpu_pods if pod.holds_gpus and pod.node in on and pod.gpus.get(resource)),
        key=lambda pod: (-pod.gpus[resource], pod.ref.namespace, pod.ref.name),
    )
    return Shortage(
        missing=missing,
        free={name: count for name, count in sorted(free.items()) if count},
        total=sum(node.gpus.get(resource, 0) for node in nodes),
        holders=tuple(f"{pod.ref.namespace}/{pod.ref.name} ({pod.gpus[resource]})" for pod in holders),
    )


def has_room(nodes: Sequence[Node], gpu_pods: Iterable[Pod], resource: str, gpus: int) -> bool:
    """Whether one node that takes new pods has so many GPUs free."""
    return any(free >= gpus for free in free_gpus(nodes, gpu_pods, resource).values())
