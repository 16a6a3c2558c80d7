"""The StatefulSet: one pod is one replica of the engine with all its GPUs.

Every default that the API server would add is spelled out, so that the live object can be compared with this
one field by field.
"""

from kubernetes.client import (
    V1RollingUpdateStatefulSetStrategy,
    V1StatefulSet,
    V1StatefulSetPersistentVolumeClaimRetentionPolicy,
    V1StatefulSetSpec,
    V1StatefulSetUpdateStrategy,
)

from meditron_operator.core.auto.remembered import remember
from meditron_operator.core.engines.base import Launch, Sized
from meditron_operator.core.render.meta import Manifest, Owner, manifest, metadata, pod_selector
from meditron_operator.core.render.pod import pod_template
from meditron_operator.core.spec import AUTO_GPU
from meditron_operator.names import CHOSEN_GPU, HEADLESS_SUFFIX, child_name


def statefulset(owner: Owner, sized: Sized, launch: Launch, image: str, replicas: int) -> Manifest:
    """The StatefulSet of `sized` at `replicas`."""
    spec = V1StatefulSetSpec(
        replicas=replicas,
        service_name=child_name(owner.name, HEADLESS_SUFFIX),
        selector=pod_selector(owner.name),
        pod_management_policy="Parallel",  # replicas are independent; with OrderedReady one stuck pod blocks a stop
        revision_history_limit=5,
        update_strategy=V1StatefulSetUpdateStrategy(
            # At rest no replica follows the template by itself; what may follow it, and when, is core/rollout's.
            type="RollingUpdate",
            rolling_update=V1RollingUpdateStatefulSetStrategy(partition=sized.spec.replicas),
        ),
        persistent_volume_claim_retention_policy=V1StatefulSetPersistentVolumeClaimRetentionPolicy(
            when_deleted="Retain", when_scaled="Retain"
        ),
        template=pod_template(owner, sized, launch, image),
    )
    meta = metadata(owner)
    if sized.spec.gpu.type == AUTO_GPU:
        # Not in the template: what is only remembered must not restart a pod.
        meta.annotations = {CHOSEN_GPU: remember(sized.demand.gpu)}
    return manifest(V1StatefulSet(api_version="apps/v1", kind="StatefulSet", metadata=meta, spec=spec))
