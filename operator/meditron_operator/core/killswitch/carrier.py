"""What carries the annotation of the switch, and what became of a stop: what the guard tells the register."""

from dataclasses import dataclass

from meditron_operator.core.killswitch.effective import Annotations, Scope
from meditron_operator.core.killswitch.told import SwitchState


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A deployment, or the namespace of one of the wider scopes."""

    scope: Scope
    namespace: str
    name: str
    uid: str
    annotations: Annotations
    admitted_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a stop came to. Times are RFC 3339."""

    state: SwitchState
    traffic_cut_at: str | None
    last_pod_gone_at: str | None
    verified_at: str | None
    seconds_to_stop: float | None
    deployments: int
    unconfirmed_pods: tuple[str, ...]
