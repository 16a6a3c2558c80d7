"""Nodes as GPU feature discovery labels them, in one line each."""

from typing import Any, Final

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.observed import Node
from tests.testbed.nodes import gpu_labels
from tests.unit.kit import HOST

GIB: Final = 2**30
A100_PRODUCT: Final = "NVIDIA-A100-SXM4-80GB"


def node(card: str, count: int = 1, name: str = "", **changes: Any) -> Node:
    """A node with `count` cards of the catalog. `labels` (None takes one away), `resources`, `spec`: what differs."""
    gpu = GPUS[card]
    labels = gpu_labels(gpu, count) | changes.get("labels", {})
    resources = {**HOST, gpu.resource_name: str(count), **changes.get("resources", {})}
    return Node.of(
        {
            "metadata": {
                "name": name or f"{card.lower()}-0",
                "labels": {key: value for key, value in labels.items() if value is not None},
            },
            "spec": changes.get("spec", {}),
            "status": {"allocatable": {key: value for key, value in resources.items() if value is not None}},
        }
    )


def unknown(count: int = 1, name: str = "new-0", product: str = "NVIDIA-RTX-5000-Ada", **labels: str | None) -> Node:
    """A card that is not in the table; 32,760 MiB of compute capability 8.9."""
    given = {
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": "32760",
        "nvidia.com/gpu.compute.major": "8",
        "nvidia.com/gpu.compute.minor": "9",
    }
    changed = {f"nvidia.com/gpu.{key.replace('_', '.')}": value for key, value in labels.items()}
    return node("L4", count, name, labels={**given, **changed})


def mig_single(profile: str = "3g.40gb", memory: str = "40448", count: int = 2, product: str = A100_PRODUCT) -> Node:
    """An A100-80GB cut into equal slices that look like cards (MIG strategy `single`)."""
    labels = {"nvidia.com/gpu.product": f"{product}-MIG-{profile}", "nvidia.com/gpu.memory": memory}
    return node("A100-80GB", count, "mig-0", labels=labels)


def mig_mixed(
    profile: str = "3g.40gb", memory: str | None = "40448", count: int = 2, whole: int = 1, **labels: str
) -> Node:
    """A node where some A100-80GB are cut and others are whole (MIG strategy `mixed`)."""
    resource = f"nvidia.com/mig-{profile}"
    given = {f"{resource}.memory": memory, f"{resource}.count": str(count), "nvidia.com/mig.strategy": "mixed"}
    extra = {f"{resource}.{key.replace('_', '-')}": value for key, value in labels.items()}
    return node("A100-80GB", whole, "mixed-0", labels={**given, **extra}, resources={resource: str(count)})
