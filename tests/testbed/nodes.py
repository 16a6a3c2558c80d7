"""`--nodes` text to Node manifests. Pure.

Labels are those that NVIDIA's GPU feature discovery and AMD's node labeller put on a real node, so that what
selects nodes by them behaves as in a real cluster.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from meditron_operator.core.catalog.gpus import GPUS, Gpu
from tests.testbed.errors import TestbedError

DEFAULT_NODES = "A100-80GB:8:1,A100-40GB:4:1,RTX-4090:2:1,L4:1:1"
MAX_GPUS_PER_NODE = 16
MAX_NODES_PER_GROUP = 5_000

_SYNTAX = "expected GPU:CARDS_PER_NODE[:NODES], separated by commas, such as A100-80GB:8:3,L4:1"
_GROUP = re.compile(r"(?P<gpu>[^:]+):(?P<cards>[0-9]{1,5})(:(?P<count>[0-9]{1,5}))?")
_MIG_CAPABILITIES = {(8, 0), (9, 0), (10, 0)}  # A100, H100/H200, B200; of 12.0 only some cards


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """`count` equal nodes with `cards` cards each."""

    gpu: Gpu
    cards: int
    count: int


def parse_nodes(text: str) -> tuple[NodeGroup, ...]:
    """Read `A100-80GB:8:3,L4:1`; the number of nodes may be left out and is 1. An empty text is no nodes.

    Raises TestbedError with one line that names the part that is wrong.
    """
    parts = (part.strip() for part in text.split(",")) if text.strip() else ()
    return tuple(_parse_group(part) for part in parts)


def _parse_group(part: str) -> NodeGroup:
    match = _GROUP.fullmatch(part)
    if match is None:
        raise TestbedError(f"--nodes: {part!r} is not understood: {_SYNTAX}")
    gpu = GPUS.get(match["gpu"])
    if gpu is None:
        raise TestbedError(f"--nodes: unknown GPU type {match['gpu']!r}; known: {', '.join(GPUS)}")
    cards, count = int(match["cards"]), int(match["count"] or 1)
    if not 1 <= cards <= MAX_GPUS_PER_NODE:
        raise TestbedError(f"--nodes: {part!r}: a node has 1 to {MAX_GPUS_PER_NODE} cards")
    if not 1 <= count <= MAX_NODES_PER_GROUP:
        raise TestbedError(f"--nodes: {part!r}: a group has 1 to {MAX_NODES_PER_GROUP} nodes")
    return NodeGroup(gpu=gpu, cards=cards, count=count)


def node_manifests(groups: Collection[NodeGroup], taken: Collection[str] = ()) -> list[dict[str, Any]]:
    """One Node per node of each group, named `<gpu>-<number>`, with names that are not in `taken`."""
    used = set(taken)
    manifests = []
    for group in groups:
        names = _free_names(group.gpu, used)
        for _ in range(group.count):
            name = next(names)
            used.add(name)
            manifests.append(_manifest(name, group))
    return manifests


def _free_names(gpu: Gpu, used: set[str]) -> Iterator[str]:
    number = 0
    while True:
        name = f"{gpu.name.lower()}-{number}"
        if name not in used:
            yield name
        number += 1


def _manifest(name: str, group: NodeGroup) -> dict[str, Any]:
    resources = {
        "cpu": str(16 * group.cards + 16),
        "memory": f"{192 * group.cards}Gi",
        "ephemeral-storage": "500Gi",
        "pods": "110",
        group.gpu.resource_name: str(group.cards),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": _host_labels(name) | gpu_labels(group.gpu, group.cards),
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "status": {"capacity": resources, "allocatable": dict(resources)},
    }


def _host_labels(name: str) -> dict[str, str]:
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "type": "kwok",
    }


def gpu_labels(gpu: Gpu, cards: int) -> dict[str, str]:
    """The labels that the vendor's discovery writes for `cards` cards of this kind."""
    if gpu.compute_capability is None:
        return {
            gpu.product_label: gpu.products[0],
            "amd.com/gpu.family": gpu.family,
            "amd.com/gpu.vram": f"{gpu.memory_mib // 1024}G",
        }
    major, minor = gpu.compute_capability
    return {
        gpu.product_label: gpu.products[0],
        "nvidia.com/gpu.memory": str(gpu.memory_mib),
        "nvidia.com/gpu.count": str(cards),
        "nvidia.com/gpu.compute.major": str(major),
        "nvidia.com/gpu.compute.minor": str(minor),
        "nvidia.com/gpu.family": gpu.family,
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mig.capable": str((major, minor) in _MIG_CAPABILITIES).lower(),
        "nvidia.com/mig.strategy": "single",
    }
