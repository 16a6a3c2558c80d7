"""The nodes of a cluster, and the pods that hold their GPUs, from a file: for `gpu.type: auto` without the cluster."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from meditron_operator.cli.errors import BadInput
from meditron_operator.cli.files import read_documents
from meditron_operator.core.auto import Surroundings
from meditron_operator.core.observed import Node, Pod

HOW: str = "kubectl get nodes,pods -A -o json"

Seen = TypeVar("Seen", Node, Pod)


def read_cluster(path: str) -> Surroundings:
    """Nodes, and pods if there are any, of a file that `kubectl get` wrote. Raises BadInput."""
    objects = read_documents(path)
    nodes = tuple(_read(path, "Node", Node.of, objects))
    if not nodes:
        raise BadInput(f"{path}: holds no Node; write it with: {HOW}")
    pods = _read(path, "Pod", Pod.of, objects)
    return Surroundings(nodes=nodes, gpu_pods=tuple(pod for pod in pods if pod.gpus))


def _read(
    path: str, kind: str, read: Callable[[Mapping[str, Any]], Seen], objects: Iterable[Mapping[str, Any]]
) -> Iterable[Seen]:
    for obj in objects:
        if obj.get("kind") != kind:
            continue
        try:
            yield read(obj)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise BadInput(f"{path}: holds a {kind} that no API server wrote; write it with: {HOW}") from None
