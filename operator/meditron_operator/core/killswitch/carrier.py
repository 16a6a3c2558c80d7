"""What carries a kill switch, and what a stop came to: what the records of the switch are written from."""

from dataclasses import dataclass

from meditron_operator.core.killswitch.effective import Annotations, Scope
from meditron_operator.core.killswitch.told import SwitchState


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """An object whose annotations are a switch: a deployment, a namespace, or the operator's for the whole cluster."""

    scope: Scope
    namespace: str  # where its records are; of a namespace its own name
    name: str
    uid: str
    annotations: Annotations
    admitted_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of everything that one carrier stops. Times as in `SwitchStatus`."""

    state: SwitchState
    traffic_cut_at: str | None
    last_pod_gone_at: str | None
    verified_at: str | None
    seconds_to_stop: float | None
    deployments: int
    unconfirmed_pods: tuple[str, ...]
