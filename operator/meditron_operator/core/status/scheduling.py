"""Whether every wanted pod has a node with free GPUs, and if not, what is missing where."""

from meditron_operator.core.capacity import Shortage, matching_nodes, shortage
from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.engines.base import Sized
from meditron_operator.core.observed import Node, Pod
from meditron_operator.core.status.condition import Condition, Truth, Type
from meditron_operator.core.status.view import View
from meditron_operator.names import child_name

_LISTED = 5  # nodes and pods that a message names; the rest is counted


def scheduled(view: View) -> Condition:
    """The condition `Scheduled`."""
    if view.sized is None:
        return _condition(Truth.UNKNOWN, "NotAccepted", "nothing new is scheduled while the spec is not accepted")
    wanted = view.wanted_replicas
    if wanted == 0:
        return _condition(Truth.TRUE, "Scheduled", "no replica is wanted")
    waiting = [pod for pod in view.pods if pod.unschedulable is not None and not pod.deleting]
    nodes = matching_nodes(view.cluster.nodes, view.sized.demand.gpu, view.sized.spec.gpu.node_selector)
    if waiting:
        return _waiting(view, view.sized, waiting, nodes)
    placed = sum(1 for pod in view.pods if pod.node is not None and not pod.deleting)
    if len(view.pods) < wanted:
        name = child_name(view.case.owner.name)
        why = f"if that stays, the events of StatefulSet {name} say who refuses them (a quota, Pod Security)"
        return _condition(Truth.FALSE, "PodsMissing", f"{len(view.pods)} of {wanted} pods exist yet; {why}")
    if placed < wanted:
        return _condition(Truth.FALSE, "PodsMissing", f"{placed} of {wanted} pods have a node yet")
    where = sorted({pod.node for pod in view.pods if pod.node is not None})
    return _condition(Truth.TRUE, "Scheduled", f"{placed} of {wanted} pods have a node: {', '.join(where)}")


def _condition(status: Truth, reason: str, message: str) -> Condition:
    return Condition(Type.SCHEDULED, status, reason, message)


def _waiting(view: View, sized: Sized, waiting: list[Pod], nodes: list[Node]) -> Condition:
    gpu, each = sized.demand.gpu, sized.plan.gpus_per_replica
    if not nodes:
        return _condition(Truth.FALSE, "NoSuchNode", f"no node has {_label(sized, gpu)}")
    largest = max(node.gpus.get(gpu.resource_name, 0) for node in nodes)
    if largest < each:
        message = f"a replica needs {each} x {gpu.name} on one node, and no node has more than {largest}"
        return _condition(Truth.FALSE, "NoSuchNode", message)
    lack = shortage(nodes, view.cluster.gpu_pods, gpu.resource_name, waiting=len(waiting), gpus_each=each)
    if lack.missing == 0:
        return _condition(Truth.FALSE, "Unschedulable", f"{waiting[0].ref.name}: {waiting[0].unschedulable}")
    return _condition(Truth.FALSE, "WaitingForGPU", _missing(lack, gpu, len(waiting), each))


def _label(sized: Sized, gpu: Gpu) -> str:
    labels = [f"{gpu.product_label} in ({', '.join(gpu.products)})"]
    return " and ".join(labels + [f"{key}={value}" for key, value in sized.spec.gpu.node_selector.items()])


def _missing(lack: Shortage, gpu: Gpu, waiting: int, each: int) -> str:
    pods = (
        f"1 replica waits for {each} x {gpu.name}"
        if waiting == 1
        else f"{waiting} replicas wait for {each} x {gpu.name} each"
    )
    free = ", ".join(_first([f"{count} on {name}" for name, count in lack.free.items()])) or "none"
    held = f"; held by {', '.join(_first(list(lack.holders)))}" if lack.holders else ""
    return f"{pods}: {lack.missing} more needed; free: {free}; the cluster has {lack.total} x {gpu.name}{held}"


def _first(items: list[str]) -> list[str]:
    rest = len(items) - _LISTED
    return [*items[:_LISTED], f"{rest} more"] if rest > 0 else items
