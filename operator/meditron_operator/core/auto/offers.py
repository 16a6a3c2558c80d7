"""From nodes to the cards on offer: one row for each kind of card, with the nodes that a pod could go to for it.

What a node's labels say comes from NVIDIA's GPU feature discovery (or AMD's node labeller): product, memory, compute
capability, sharing, MIG. Nothing here trusts them to be well formed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from meditron_operator.core.auto import labels as read
from meditron_operator.core.auto.labels import Unreadable
from meditron_operator.core.catalog.gpus import (
    AMD_PRODUCT_LABEL,
    AMD_RESOURCE_NAME,
    GPUS,
    MIG_RESOURCE_PREFIX,
    NVIDIA_PRODUCT_LABEL,
    NVIDIA_RESOURCE_NAME,
    Gpu,
)
from meditron_operator.core.observed import Node, Taint
from meditron_operator.core.spec import Toleration

_BY_PRODUCT: Final[Mapping[tuple[str, str], Gpu]] = {
    (gpu.product_label, product): gpu for gpu in GPUS.values() for product in gpu.products
}
_MIG_PRODUCT: Final = re.compile(r"(?P<card>.+)-MIG-(?P<profile>[^-]+)")
_UNPROVEN_FROM: Final = (10, 0)  # Blackwell: the image's kernels are built for 9.0 at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the spec asks of a node, its card apart."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One kind of card."""

    gpu: Gpu
    nodes: tuple[Node, ...]  # that a pod may go to
    barred: tuple[str, ...]  # why it may not go to the others, one line for each node


@dataclass(frozen=True, slots=True)
class Refused:
    """A card that can't be chosen, and why."""

    gpu_type: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """All that the nodes have, by the name of the card."""

    offers: tuple[Offer, ...] = ()
    refusals: tuple[Refused, ...] = ()

    def offer(self, name: str) -> Offer | None:
        """The offer of that card."""
        return next((offer for offer in self.offers if offer.gpu.name == name), None)


def market(nodes: Iterable[Node], terms: Terms) -> Market:
    """What these nodes offer to a pod with these terms; equal whatever the order of the nodes."""
    found: dict[str, list[tuple[Gpu, Node]]] = {}
    refused: dict[str, str] = {}
    for node in sorted(nodes, key=lambda node: node.name):
        for card in _cards(node):
            if isinstance(card, Refused):
                refused.setdefault(card.gpu_type, card.reason)
            else:
                found.setdefault(card.name, []).append((card, node))
    return Market(
        offers=tuple(_offer(found[name], terms) for name in sorted(found)),
        refusals=tuple(Refused(name, refused[name]) for name in sorted(refused)),
    )


def _offer(found: list[tuple[Gpu, Node]], terms: Terms) -> Offer:
    """Sized by the node that says least: a pod may land on any of them."""
    least = min((gpu for gpu, _ in found), key=lambda gpu: gpu.cuda_total_bytes)
    products = sorted({product for gpu, _ in found for product in gpu.products})
    gpu = least if least.name in GPUS else replace(least, products=tuple(products))
    barred = {node.name: why for _, node in found if (why := _barred(node, gpu, terms)) is not None}
    return Offer(
        gpu=gpu,
        nodes=tuple(node for _, node in found if node.name not in barred),
        barred=tuple(f"{name} {why}" for name, why in barred.items()),
    )


def _barred(node: Node, gpu: Gpu, terms: Terms) -> str | None:
    """What keeps our pods off a node, as the end of a sentence that begins with its name."""
    if not node.schedulable:
        return "is cordoned"
    for key, value in terms.node_selector.items():
        if node.labels.get(key) != value:
            return f"has no label {key}={value}"
    own = Toleration(key=gpu.taint_key, operator="Exists", effect="NoSchedule")
    for taint in node.taints:
        if taint.effect != "PreferNoSchedule" and not any(
            _tolerates(each, taint) for each in (own, *terms.tolerations)
        ):
            return f"has the taint {taint}"
    return None


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    """As the scheduler sees it: an empty key or effect matches all."""
    return (
        toleration.effect in ("", taint.effect)
        and toleration.key in ("", taint.key)
        and (toleration.operator == "Exists" or toleration.value == taint.value)
    )


def _cards(node: Node) -> Iterator[Gpu | Refused]:
    """The kinds of card on one node: its label names one product, and mixed MIG adds slices of it. A label without
    a GPU is told of too: the device plugin may be down."""
    if node.gpus.get(AMD_RESOURCE_NAME) or AMD_PRODUCT_LABEL in node.labels:
        yield _amd(node)
    product = node.labels.get(NVIDIA_PRODUCT_LABEL)
    slices = [resource for resource, count in node.gpus.items() if count and resource.startswith(MIG_RESOURCE_PREFIX)]
    if product is None:
        for resource in (NVIDIA_RESOURCE_NAME, *slices):
            if node.gpus.get(resource):
                why = f"{node.name} has no label {NVIDIA_PRODUCT_LABEL}: is GPU feature discovery running?"
                yield Refused(resource, why)
        return
    shared = read.sharing(node.labels, NVIDIA_RESOURCE_NAME)
    if shared is not None or product.endswith("-SHARED"):
        yield Refused(product, shared or read.SHARED)
    else:
        yield _whole(node, product)
    for resource in slices:
        yield _slice(node, product, resource)


def _amd(node: Node) -> Gpu | Refused:
    product = node.labels.get(AMD_PRODUCT_LABEL)
    if product is None:
        return Refused(
            AMD_RESOURCE_NAME, f"{node.name} has no label {AMD_PRODUCT_LABEL}: is AMD's node labeller running?"
        )
    row = _BY_PRODUCT.get((AMD_PRODUCT_LABEL, product))
    return row or Refused(product, "not in the table, and the labels of AMD's cards don't tell enough to size one")


def _whole(node: Node, product: str) -> Gpu | Refused:
    """What the node has under nvidia.com/gpu: a card, or with the MIG strategy `single` a slice of one."""
    mig = _MIG_PRODUCT.fullmatch(product)
    row = _BY_PRODUCT.get((NVIDIA_PRODUCT_LABEL, product))
    try:
        memory = read.number(node.labels, "nvidia.com/gpu.memory")
        if mig is not None:
            card = _BY_PRODUCT.get((NVIDIA_PRODUCT_LABEL, mig["card"]))
            return _derived(node, f"{card.name if card else mig['card']}-MIG-{mig['profile']}", product, memory, card)
        if row is None:
            return _derived(node, product, product, memory)
    except Unreadable as missing:
        if row is None:
            return Refused(product, str(missing))
        return row
    if memory < row.memory_mib:
        return replace(row, memory_mib=memory, cuda_total_bytes=min(row.cuda_total_bytes, read.cuda_total(memory)))
    return row


def _slice(node: Node, product: str, resource: str) -> Gpu | Refused:
    """A slice that the MIG strategy `mixed` offers beside the whole cards, under a resource of its own."""
    card = _BY_PRODUCT.get((NVIDIA_PRODUCT_LABEL, product))
    name = f"{card.name if card else product}-MIG-{resource.removeprefix(MIG_RESOURCE_PREFIX)}"
    shared = read.sharing(node.labels, resource)
    if shared is not None:
        return Refused(name, shared)
    try:
        derived = _derived(node, name, product, read.number(node.labels, f"{resource}.memory"), card)
    except Unreadable as missing:
        return Refused(name, str(missing))
    return replace(derived, resource_name=resource, sliced=True)


def _derived(node: Node, name: str, product: str, memory_mib: int, card: Gpu | None = None) -> Gpu:
    """A row for what is not in the table, from the node's labels; `card` is the one that it is a slice of."""
    capability = card.compute_capability if card else None
    if capability is None:
        major = read.number(node.labels, "nvidia.com/gpu.compute.major")
        capability = (major, read.number(node.labels, "nvidia.com/gpu.compute.minor", least=0))
    return Gpu(
        name=name,
        memory_mib=memory_mib,
        cuda_total_bytes=read.cuda_total(memory_mib),
        compute_capability=capability,
        family=card.family if card else node.labels.get("nvidia.com/gpu.family", ""),
        products=(product,),
        sliced="-MIG-" in name,
        unproven=capability >= _UNPROVEN_FROM,
        source="labels of the nodes",
    )
