"""On which card a deployment is now, and on what terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from meditron_operator import names
from meditron_operator.core.auto.offers import Market, Terms
from meditron_operator.core.auto.remembered import recall
from meditron_operator.core.auto.surroundings import Surroundings
from meditron_operator.core.catalog.gpus import GPUS, Gpu
from meditron_operator.core.spec import Toleration


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the pods ask of a node, as their template says; empty where somebody's hand was in it."""

    product_label: str = ""
    products: tuple[str, ...] = ()
    gpus: Mapping[str, str] = field(default_factory=dict)  # limits, by resource name
    terms: Terms | None = None

    @classmethod
    def of(cls, workload: Mapping[str, Any]) -> Self:
        """Of the spec of a StatefulSet."""
        try:
            pod = workload["template"]["spec"]
            affinity = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            (product,) = affinity["nodeSelectorTerms"][0]["matchExpressions"]
            _own, *asked = pod["tolerations"]
            return cls(
                product_label=product["key"],
                products=tuple(sorted(product["values"])),
                gpus=dict(pod["containers"][0]["resources"]["limits"]),
                terms=Terms(
                    node_selector=pod.get("nodeSelector", {}), tolerations=tuple(Toleration(**each) for each in asked)
                ),
            )
        except (LookupError, TypeError, ValueError):  # it will be repaired
            return cls()

    def is_on(self, gpu: Gpu) -> bool:
        """Whether they ask for this card."""
        same = (self.product_label, self.products) == (gpu.product_label, tuple(sorted(gpu.products)))
        return same and gpu.resource_name in self.gpus


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The card of a deployment, before anything is chosen."""

    gpu: Gpu
    serving: bool
    placement: Placement

    def stays_put(self, terms: Terms, gpus: int) -> bool:
        """Whether the pods go on asking for what they have, so that no node has to be found for them."""
        if self.placement.terms is None:
            return True
        return self.placement.terms == terms and self.placement.gpus.get(self.gpu.resource_name) == str(gpus)


def current_card(around: Surroundings, market: Market) -> Current | None:
    """As the annotation says; where there is none (it was chosen by name before, or somebody took the annotation
    off) the card that the pods ask for."""
    if around.workload is None:
        return None
    placement = Placement.of(around.workload.body["spec"])
    remembered = recall(around.workload.metadata.get("annotations", {}).get(names.CHOSEN_GPU, ""))
    known = (*(offer.gpu for offer in market.offers), *GPUS.values())
    gpu = remembered or next((gpu for gpu in known if placement.is_on(gpu)), None)
    return None if gpu is None else Current(gpu=gpu, serving=around.serving, placement=placement)
