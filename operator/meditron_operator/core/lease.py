"""The Lease of coordination.k8s.io that one of several processes holds: the operator that may write, the guard that
goes first.

As client-go's leader election: a holder renews; who waits takes a lease that nobody has renewed for its whole duration,
by its own clock from when it saw the last renewal. No two clocks are ever compared, so none needs to be right.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from meditron_operator.core.live import Manifest

DURATION_SECONDS: Final = 15
"""After which without a renewal others take it; client-go's default."""
HOLD_SECONDS: Final = 10.0
"""How long a renewal entitles to write; client-go's renew deadline."""
RETRY_SECONDS: Final = 2.0
"""Between two renewals, and between two looks of who waits; client-go's retry period."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A lease as it was seen, and since when it has not changed, in seconds of the own monotonic clock."""

    body: Mapping[str, Any]
    since: float

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def holder(self) -> str:
        """Empty when it was given back."""
        return str(_spec(self.body).get("holderIdentity") or "")

    def is_free_for(self, identity: str, now: float) -> bool:
        """Whether it may be taken: nobody's, one's own from before a restart, or not renewed for its duration."""
        seconds = _spec(self.body).get("leaseDurationSeconds")
        duration = seconds if isinstance(seconds, int) and seconds > 0 else DURATION_SECONDS
        return self.holder in ("", identity) or now - self.since >= duration


def see(body: Mapping[str, Any], before: Sight | None, now: float) -> Sight:
    """A look at the lease; who looked before and finds it unchanged keeps the older moment."""
    sight = Sight(body, now)
    return before if before is not None and before.version == sight.version else sight


def created(namespace: str, name: str, identity: str, now: datetime) -> Manifest:
    """The body of a new lease."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": _held_by(identity, now) | {"acquireTime": _micro(now), "leaseTransitions": 0},
    }


def taken(sight: Sight, identity: str, now: datetime) -> Manifest:
    """The lease, taken or renewed; its resourceVersion keeps two from taking it at once."""
    spec = _spec(sight.body)
    if sight.holder != identity:
        changes = spec.get("leaseTransitions")
        spec |= {"acquireTime": _micro(now), "leaseTransitions": (changes if isinstance(changes, int) else 0) + 1}
    return {**sight.body, "spec": spec | _held_by(identity, now)}


def returned(sight: Sight, now: datetime) -> Manifest:
    """The lease, given back: the next one need not wait until it runs out."""
    return {**sight.body, "spec": _spec(sight.body) | {"holderIdentity": "", "renewTime": _micro(now)}}


def _held_by(identity: str, now: datetime) -> dict[str, Any]:
    return {"holderIdentity": identity, "leaseDurationSeconds": DURATION_SECONDS, "renewTime": _micro(now)}


def _spec(body: Mapping[str, Any]) -> dict[str, Any]:
    return dict(body.get("spec") or {})


def _micro(moment: datetime) -> str:
    """Kubernetes' MicroTime."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
