"""How far a stop has come, and what is told of it in `status.killSwitch`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.guard.carriers import Target
from meditron_operator.core.guard.proof import Findings
from meditron_operator.core.guard.seen import Seen
from meditron_operator.core.killswitch import STOPPING, Annotations, Mode, Off, Released, SwitchState, SwitchStatus
from meditron_operator.core.times import moment

PROVEN: Final = frozenset({SwitchState.ENGAGED, SwitchState.RELEASED})

# The CRD's own limits: a longer text would have the server refuse the whole status.
_MAX_REASON: Final = 1024
_MAX_NAME: Final = 256
_MAX_MESSAGE: Final = 4096
_MAX_PODS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What keeps one deployment off, and when this guard saw it first."""

    off: Off
    mode: Mode
    annotations: Annotations  # of what carries it
    admitted_at: str | None
    seen_at: str
    record: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What this guard saw happen; None for not yet."""

    traffic_cut_at: str | None = None
    pods_gone_at: str | None = None


def rfc3339(moment: datetime) -> str:
    """In UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_between(begin: str | None, end: str | None) -> float | None:
    """Never negative: the two may be of two guards' clocks. None where one of them is not known."""
    first, last = moment(begin), moment(end)
    if first is None or last is None:
        return None
    return max(0.0, round((last - first).total_seconds(), 3))


def continued(stop: Stop, stored: SwitchStatus | None) -> SwitchStatus | None:
    """The stored status, if it tells of this very stop. Another mode is another stop: its times begin anew."""
    if stored is None or stored.mode != stop.mode:
        return None
    if isinstance(stop.off, Released):
        return stored
    return stored if stored.state in STOPPING else None


def drain_ends(stop: Stop, target: Target) -> str:
    """When a drain cuts at the latest. Counted from the stored time, so that a restart makes nothing longer."""
    told = continued(stop, target.status)
    times = (told.engaged_at if told else None, stop.admitted_at, stop.seen_at)
    begin = next(found for stored in times if (found := moment(stored)) is not None)
    return rfc3339(begin + timedelta(seconds=target.grace_seconds))


def has_drained(stop: Stop, target: Target, seen: Seen, now: str) -> bool:
    """Whether a drain is over, without asking the engines: cut before, nobody left to ask, or its grace is up."""
    told = continued(stop, target.status)
    if told is not None and told.traffic_cut_at:
        return True
    at_zero = bool(seen.workloads) and not any(workload.replicas for workload in seen.workloads)
    return at_zero or now >= drain_ends(stop, target)  # both as rfc3339() writes them


def begun(stop: Stop, stored: SwitchStatus | None) -> SwitchStatus:
    """The status as it stands before anything new is known. Times that are stored stay: the first writer wins."""
    if isinstance(stop.off, Released):
        base = stored or SwitchStatus(state=SwitchState.RELEASED, scope=stop.off.scope, mode=stop.mode)
        return replace(base, state=SwitchState.RELEASED, scope=str(stop.off.scope), message=str(stop.off))
    fresh = SwitchStatus(
        state=SwitchState.ENGAGING,
        scope=stop.off.scope,
        mode=stop.mode,
        engaged_at=stop.seen_at,
        unconfirmed_pods=stored.unconfirmed_pods if stored else (),  # another mode finds no lost pod
    )
    base = continued(stop, stored) or fresh
    admitted = base.admitted_at if base.scope == stop.off.scope and base.admitted_at else stop.admitted_at
    return replace(
        base,
        scope=str(stop.off.scope),
        reason=stop.off.reason[:_MAX_REASON],
        ticket=stop.annotations.get(names.KILL_TICKET, "")[:_MAX_NAME],
        killed_by=stop.annotations.get(names.KILLED_BY, "")[:_MAX_NAME],
        admitted_at=admitted,
        engaged_at=base.engaged_at or stop.seen_at,
        record=stop.record or base.record,
    )


def advanced(status: SwitchStatus, findings: Findings, moments: Moments, now: str) -> SwitchStatus:
    """The status after a look. What turned out not to hold any more is taken back."""
    cut_at = None if findings.open else status.traffic_cut_at or moments.traffic_cut_at or now
    gone_at = None if findings.pods or not findings.cut else status.last_pod_gone_at or moments.pods_gone_at or now
    state, proven = _state(findings), findings.proven
    end = gone_at if findings.cut else cut_at
    told = replace(
        status,
        state=status.state if status.state is SwitchState.RELEASED else state,
        traffic_cut_at=cut_at,
        last_pod_gone_at=gone_at,
        verified_at=(status.verified_at or now) if proven else None,
        seconds_to_stop=seconds_between(status.engaged_at, end),
        unconfirmed_pods=findings.unconfirmed[:_MAX_PODS],
    )
    if told.state is SwitchState.RELEASED or (told.state is status.state and proven and status.message):
        return told  # two guards may have asked at different addresses: the first one's words stay
    return replace(told, message=findings.message()[:_MAX_MESSAGE])


def resumed(stored: SwitchStatus) -> SwitchStatus:
    """It may run again; the times of the stop stay, for whoever reads them later."""
    return replace(stored, state=SwitchState.RESUMED, unconfirmed_pods=(), message="resumed: it may run")


def changes(stored: Any, status: SwitchStatus) -> dict[str, Any]:
    """A merge patch from `stored`, which may be of any shape, to `status`; empty when they agree."""
    wanted = status.wire()
    if not isinstance(stored, Mapping):
        return wanted
    gone = {field: None for field in stored if field not in wanted}
    return gone | {field: value for field, value in wanted.items() if stored.get(field) != value}


def _state(findings: Findings) -> SwitchState:
    if findings.left:
        return SwitchState.ENGAGING
    return SwitchState.ENGAGED if findings.proven else SwitchState.ENGAGED_UNVERIFIED
