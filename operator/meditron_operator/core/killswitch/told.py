"""`status.killSwitch`: what the guard, its only writer, tells of the switch of one deployment."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from meditron_operator import names
from meditron_operator.core.killswitch.effective import Annotations, Engaged, Mode, Off
from meditron_operator.core.times import moment


class SwitchState(StrEnum):
    """How far a stop has come."""

    ENGAGING = "Engaging"  # measures are being taken
    ENGAGED = "Engaged"  # proven: no pod object, no endpoint, no answer (of a hold: nobody new gets in)
    ENGAGED_UNVERIFIED = "EngagedUnverified"  # done, but something can't be seen, for instance a pod on a lost node
    RELEASED = "Released"  # by two people; off until somebody resumes
    RESUMED = "Resumed"  # it may run


STOPPING: Final = frozenset({SwitchState.ENGAGING, SwitchState.ENGAGED, SwitchState.ENGAGED_UNVERIFIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedPod:
    """A pod that nobody saw end: its node was lost."""

    name: str
    uid: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchStatus:
    """One stop. Times are RFC 3339 in UTC with milliseconds, by the guard's clock but `admitted_at`, the server's."""

    state: SwitchState
    scope: str
    mode: str
    reason: str = ""
    ticket: str = ""
    killed_by: str = ""
    admitted_at: str | None = None
    engaged_at: str | None = None
    traffic_cut_at: str | None = None
    last_pod_gone_at: str | None = None
    verified_at: str | None = None
    seconds_to_stop: float | None = None
    unconfirmed_pods: tuple[UnconfirmedPod, ...] = ()
    message: str = ""
    record: str = ""

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Self | None:
        """Of a deployment's raw status; None where the guard has told nothing, or nothing that can be read."""
        raw = status.get("killSwitch")
        try:
            return cls._read(raw) if isinstance(raw, Mapping) else None
        except (LookupError, TypeError, ValueError, AttributeError):
            return None

    @classmethod
    def _read(cls, raw: Mapping[str, Any]) -> Self:
        seconds = raw.get("secondsToStop")
        return cls(
            state=SwitchState(raw["state"]),
            scope=str(raw["scope"]),
            mode=str(raw["mode"]),
            reason=str(raw.get("reason", "")),
            ticket=str(raw.get("ticket", "")),
            killed_by=str(raw.get("killedBy", "")),
            admitted_at=raw.get("admittedAt"),
            engaged_at=raw.get("engagedAt"),
            traffic_cut_at=raw.get("trafficCutAt"),
            last_pod_gone_at=raw.get("lastPodGoneAt"),
            verified_at=raw.get("verifiedAt"),
            seconds_to_stop=None if seconds is None else float(seconds),
            unconfirmed_pods=tuple(
                UnconfirmedPod(name=pod["name"], uid=pod["uid"], node=pod["node"])
                for pod in raw.get("unconfirmedPods", ())
            ),
            message=str(raw.get("message", "")),
            record=str(raw.get("record", "")),
        )

    def wire(self) -> dict[str, Any]:
        """As stored; what is not known is left out."""
        told = {
            "state": str(self.state),
            "scope": self.scope,
            "mode": self.mode,
            "reason": self.reason,
            "ticket": self.ticket,
            "killedBy": self.killed_by,
            "admittedAt": self.admitted_at,
            "engagedAt": self.engaged_at,
            "trafficCutAt": self.traffic_cut_at,
            "lastPodGoneAt": self.last_pod_gone_at,
            "verifiedAt": self.verified_at,
            "secondsToStop": self.seconds_to_stop,
            "unconfirmedPods": [{"name": pod.name, "uid": pod.uid, "node": pod.node} for pod in self.unconfirmed_pods],
            "message": self.message,
            "record": self.record,
        }
        return {key: value for key, value in told.items() if value not in (None, "", [])}


def speaks_of(told: SwitchStatus, off: Off, carrier: Annotations) -> bool:
    """Whether the guard's words are about this stop; `carrier` are the annotations of what carries it.

    What is left of an earlier release tells when that was asked for: what the guard saw before then is past.
    """
    if not isinstance(off, Engaged):
        return told.state is SwitchState.RELEASED
    if told.state not in STOPPING or (told.scope, told.mode) != (off.scope, Mode.of(off.mode)):
        return False
    if names.RELEASE_APPROVED_BY not in carrier:
        return True
    seen, released = moment(told.admitted_at or told.engaged_at), moment(carrier.get(names.RELEASE_REQUESTED_AT))
    return seen is not None and (released is None or seen > released)
