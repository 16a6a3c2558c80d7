"""What became of everything that one carrier stops: the outcome that its record fixes."""

from collections.abc import Iterable, Sequence
from typing import Final

from meditron_operator import names
from meditron_operator.core.killswitch import STOPPING, Mode, SwitchState, SwitchStatus
from meditron_operator.core.killswitch.carrier import Carrier, Outcome

_DONE: Final = STOPPING - {SwitchState.ENGAGING}


def is_switched(carrier: Carrier) -> bool:
    """Whether its kill switch is engaged."""
    return names.KILL_SWITCH in carrier.annotations


def outcome(carrier: Carrier, statuses: Sequence[SwitchStatus | None]) -> Outcome | None:
    """None while it is not known yet, or when the carrier has no switch."""
    annotations = carrier.annotations
    if is_switched(carrier):
        mode = Mode.of(annotations[names.KILL_SWITCH])
        told = [status for status in statuses if status is not None and _is_done(status, mode)]
        return _of_stop(told) if len(told) == len(statuses) else None
    if names.RELEASE_APPROVED_BY not in annotations:
        return None
    state = SwitchState.RESUMED if names.RESUME in annotations else SwitchState.RELEASED
    return _without_times(state, len(statuses))


def _is_done(status: SwitchStatus, mode: Mode) -> bool:
    """Of this stop, or of a stronger one. Just after it became stronger the status still tells of the weaker."""
    return status.state in _DONE and Mode.of(status.mode).strength >= mode.strength


def _of_stop(told: Sequence[SwitchStatus]) -> Outcome:
    """The last time of each, and no proof where one has none."""
    if not told:
        return _without_times(SwitchState.ENGAGED, 0)
    proven = all(status.state is SwitchState.ENGAGED for status in told)
    seconds = [status.seconds_to_stop for status in told if status.seconds_to_stop is not None]
    return Outcome(
        state=SwitchState.ENGAGED if proven else SwitchState.ENGAGED_UNVERIFIED,
        traffic_cut_at=_last(status.traffic_cut_at for status in told),
        last_pod_gone_at=_last(status.last_pod_gone_at for status in told),
        verified_at=_last(status.verified_at for status in told) if proven else None,
        seconds_to_stop=max(seconds, default=None),
        deployments=len(told),
        unconfirmed_pods=tuple(sorted(pod.name for status in told for pod in status.unconfirmed_pods)),
    )


def _without_times(state: SwitchState, deployments: int) -> Outcome:
    return Outcome(
        state=state,
        traffic_cut_at=None,
        last_pod_gone_at=None,
        verified_at=None,
        seconds_to_stop=None,
        deployments=deployments,
        unconfirmed_pods=(),
    )


def _last(times: Iterable[str | None]) -> str | None:
    """They are all of one form, so that the order of the texts is that of the times."""
    return max((time for time in times if time), default=None)
