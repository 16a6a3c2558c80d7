"""On which card a deployment is now."""

from collections.abc import Mapping
from typing import Any

from meditron_operator import names
from meditron_operator.core.auto.offers import Market
from meditron_operator.core.auto.remembered import recall
from meditron_operator.core.catalog.gpus import GPUS, Gpu
from meditron_operator.core.live import Live


def current_card(workload: Live | None, market: Market) -> Gpu | None:
    """As the annotation says; where there is none (it was chosen by name before, or somebody took the annotation
    off) the card that the pods ask for."""
    if workload is None:
        return None
    remembered = recall(workload.metadata.get("annotations", {}).get(names.CHOSEN_GPU, ""))
    return remembered or _asked_for(workload.body["spec"], market)


def _asked_for(spec: Mapping[str, Any], market: Market) -> Gpu | None:
    try:
        pod = spec["template"]["spec"]
        affinity = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (product,) = affinity["nodeSelectorTerms"][0]["matchExpressions"]
        limits = pod["containers"][0]["resources"]["limits"]
        asked = (product["key"], sorted(product["values"]))
    except (LookupError, TypeError, ValueError):  # somebody's hand was in it, and it will be repaired
        return None
    known = (*(offer.gpu for offer in market.offers), *GPUS.values())
    return next(
        (gpu for gpu in known if (gpu.product_label, sorted(gpu.products)) == asked and gpu.resource_name in limits),
        None,
    )
