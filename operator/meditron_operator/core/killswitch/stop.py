"""One stop as it stands at one moment: what it takes away by now, and until when a drain lets answers finish."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from meditron_operator.core.killswitch.effective import Annotations, Engaged, Mode, Off, Released, Scope
from meditron_operator.core.killswitch.measures import Measures, measures, mode_of
from meditron_operator.core.killswitch.told import SwitchState, SwitchStatus, speaks_of
from meditron_operator.core.times import moment

DEFAULT_GRACE_SECONDS: Final = 30
LONGEST_GRACE_SECONDS: Final = 600
_REASON_CHARACTERS: Final = 1024  # more of a reason the guard can't store

_DONE: Final = frozenset({SwitchState.ENGAGED, SwitchState.ENGAGED_UNVERIFIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """How long a drain may take."""

    since: str | None  # when the API server took it in; None where nothing tells
    grace_seconds: int
    word: str | None = None  # what the operator itself said of the stop before: its word,
    until: str | None = None  # and when its drain is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What the kill switch asks for."""

    off: Off
    mode: Mode
    measures: Measures
    until: datetime | None = None
    """Of a drain: when answers have had their time, and everything is cut at the latest."""
    told: SwitchStatus | None = None
    """What the guard tells of this very stop."""

    @property
    def drains_until(self) -> datetime | None:
        """The end of a drain whose answers may still finish."""
        return None if self.measures.cut else self.until

    @property
    def word(self) -> str:
        """For a column of a table."""
        return _word(self.off, self.mode)


def stop_of(
    off: Off | None, carrier: Annotations, guard: SwitchStatus | None, draining: Draining, now: datetime
) -> Stop | None:
    """The stop at the moment `now`. `carrier` are the annotations that ask for it; `guard` is the latest that the guard
    told of the deployment, perhaps of an earlier stop: then it counts for nothing."""
    if off is None:
        return None
    mode = mode_of(off, _engaged_as(off, guard))
    if not isinstance(off, Engaged):
        return Stop(off=off, mode=mode, measures=measures(off, mode, drained=True))
    timed = guard if guard is not None and speaks_of(guard, off, carrier) else None
    told = timed if timed is not None and timed.reason == off.reason[:_REASON_CHARACTERS] else None
    until = _drains_until(off, timed, draining, now) if mode is Mode.DRAIN else None
    over = until is None or until <= now
    return Stop(off=off, mode=mode, measures=measures(off, mode, drained=over), until=until, told=told)


def grace_seconds(raw_spec: Any) -> int:
    """`shutdown.graceSeconds` of a raw spec, which may be of any shape."""
    match raw_spec:
        case {"shutdown": {"graceSeconds": int(seconds)}} if 1 <= seconds <= LONGEST_GRACE_SECONDS:
            return DEFAULT_GRACE_SECONDS if seconds is True else seconds
        case _:
            return DEFAULT_GRACE_SECONDS


def _engaged_as(off: Off, guard: SwitchStatus | None) -> str | None:
    """As what a release was engaged; None where the guard doesn't tell."""
    known = guard is not None and guard.scope == off.scope and guard.state is not SwitchState.RESUMED
    return guard.mode if guard is not None and known else None


def _drains_until(off: Engaged, timed: SwitchStatus | None, draining: Draining, now: datetime) -> datetime:
    """The guard's word counts before the API server's, whose time is that of the last write of whoever engaged. What
    the operator said before is never put off. Where nobody tells when it began, nothing may be waited for. From any
    moment on it is no longer than the grace: the clock here may be behind the one that tells of the begin, or be set
    back in the middle of a drain."""
    if timed is not None and (timed.state in _DONE or timed.traffic_cut_at is not None):
        begin = None
    else:
        begin = moment(timed.engaged_at if timed else None) or moment(draining.since)
    grace = timedelta(seconds=draining.grace_seconds)
    until = min(begin, now) + grace if begin else now
    before = moment(draining.until) if draining.word == _word(off, Mode.DRAIN) else None
    return min(before, until) if before else until


def _word(off: Off, mode: Mode) -> str:
    if isinstance(off, Released):
        return "released"
    return str(mode) if off.scope is Scope.DEPLOYMENT else f"{mode} ({off.scope})"
