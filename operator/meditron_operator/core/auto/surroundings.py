"""What a choice among the cluster's cards depends on besides the spec."""

from dataclasses import dataclass
from typing import Final

from meditron_operator.core.live import Live
from meditron_operator.core.observed import Node, Pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The nodes, who holds their GPUs, and what this deployment has there already."""

    nodes: tuple[Node, ...] = ()
    gpu_pods: tuple[Pod, ...] = ()  # everybody's
    workload: Live | None = None  # the deployment's own StatefulSet
    serving: bool = False  # at least one of its pods is ready

    @property
    def others(self) -> tuple[Pod, ...]:
        """The pods of everybody else: our own would make room for those that take their place."""
        own = self.workload.uid if self.workload else None
        return tuple(pod for pod in self.gpu_pods if own is None or pod.controller != own)


EMPTY: Final = Surroundings()
