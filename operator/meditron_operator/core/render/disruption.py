"""How many replicas a node drain may take at once."""

from kubernetes.client import V1PodDisruptionBudget, V1PodDisruptionBudgetSpec

from meditron_operator.core.render.meta import Manifest, Owner, manifest, metadata, pod_selector


def disruption_budgets(owner: Owner, replicas: int) -> list[Manifest]:
    """One budget, from two replicas on: with a single replica it would block every drain for ever."""
    if replicas < 2:
        return []
    return [
        manifest(
            V1PodDisruptionBudget(
                api_version="policy/v1",
                kind="PodDisruptionBudget",
                metadata=metadata(owner),
                spec=V1PodDisruptionBudgetSpec(
                    max_unavailable=1,
                    selector=pod_selector(owner.name),
                    unhealthy_pod_eviction_policy="AlwaysAllow",  # a pod that crashes anyway must not hold a drain up
                ),
            )
        )
    ]
