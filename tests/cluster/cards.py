"""Nodes with cards of a test's own, as GPU feature discovery labels them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.cluster.support import Admin, Manifest
from tests.testbed.nodes import node_manifests, parse_nodes

POOL = "test.example.com/pool"


def card_node(name: str, pool: str, cards: str, **changes: Any) -> Manifest:
    """A node with `L4:1`, for those who ask for its pool; `labels`, `resources` and `spec` say what differs."""
    (node,) = node_manifests(parse_nodes(cards))
    node["metadata"]["name"] = node["metadata"]["labels"]["kubernetes.io/hostname"] = name
    node["metadata"]["labels"] |= {POOL: pool, **changes.get("labels", {})}
    node["spec"] = changes.get("spec", {})
    for amounts in (node["status"]["capacity"], node["status"]["allocatable"]):
        amounts.update(changes.get("resources", {}))
    return node


def unknown_node(name: str, pool: str) -> Manifest:
    """A card that the operator's table does not have: 32,760 MiB of compute capability 8.9."""
    labels = {"nvidia.com/gpu.product": "NVIDIA-RTX-5000-Ada", "nvidia.com/gpu.memory": "32760"}
    return card_node(name, pool, "L4:1", labels=labels)


def mixed_mig_node(name: str, pool: str) -> Manifest:
    """An A100-80GB that is cut into two slices, which have a resource name of their own."""
    labels = {"nvidia.com/mig.strategy": "mixed", "nvidia.com/mig-3g.40gb.memory": "40448"}
    return card_node(
        name, pool, "A100-80GB:1", labels=labels, resources={"nvidia.com/gpu": "0", "nvidia.com/mig-3g.40gb": "2"}
    )


def shared_node(name: str, pool: str) -> Manifest:
    """An L4 that four pods share by time slicing."""
    labels = {"nvidia.com/gpu.product": "NVIDIA-L4-SHARED", "nvidia.com/gpu.replicas": "4"}
    return card_node(name, pool, "L4:1", labels=labels, resources={"nvidia.com/gpu": "4"})


class Rack:
    """The nodes that a test adds; they go with it."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._names: list[str] = []

    def add(self, node: Manifest) -> None:
        """Create it and wait until it is Ready."""
        name = node["metadata"]["name"]
        self._admin.create(node)
        self._names.append(name)
        self._admin.wait("Node", None, name, _is_ready)

    def clear(self) -> None:
        """Delete them all."""
        for name in self._names:
            self._admin.delete("Node", None, name)


@contextmanager
def rack(admin: Admin) -> Iterator[Rack]:
    """A rack that is cleared at the end."""
    found = Rack(admin)
    try:
        yield found
    finally:
        found.clear()


def _is_ready(node: Mapping[str, Any] | None) -> bool:
    """And no longer tainted as a node that is not."""
    if node is None or node["spec"].get("taints", []) != [
        taint for taint in node["spec"].get("taints", []) if not taint["key"].startswith("node.kubernetes.io/")
    ]:
        return False
    return any(item["type"] == "Ready" and item["status"] == "True" for item in node["status"].get("conditions", ()))
