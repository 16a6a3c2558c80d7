"""The steps of people: what each writes to the annotations, and what it takes before the API server need be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meditron_operator import names
from meditron_operator.core.killswitch.effective import Annotations, Mode
from meditron_operator.core.times import moment, rfc3339

Changes = Mapping[str, str | None]
"""Annotations to write; None takes one away."""

RELEASE_WINDOW: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step is not taken; one line with the next step."""

    words: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why there is nothing to do; one line."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Who takes it, when by the server's clock, and at what: in words, and as a command names it."""

    me: str
    at: datetime
    what: str
    target: str


def engage(mode: Mode, reason: str | None, ticket: str | None) -> Changes:
    """What a stop writes. A reason or ticket of before stays where none is given now."""
    told = {names.KILL_REASON: reason, names.KILL_TICKET: ticket}
    return {names.KILL_SWITCH: str(mode), **{key: value for key, value in told.items() if value is not None}}


def expiry(annotations: Annotations) -> datetime | None:
    """Until when the release that was requested can be approved; None when there is no such request."""
    if names.KILL_SWITCH not in annotations or names.RELEASE_APPROVED_BY in annotations:
        return None
    asked = moment(annotations.get(names.RELEASE_REQUESTED_AT))
    return None if asked is None or names.RELEASE_REQUESTED_BY not in annotations else asked + RELEASE_WINDOW


def request(annotations: Annotations, step: Step) -> Changes | Refusal | Nothing:
    """The first of two people. What an earlier release left goes."""
    if (refusal := _not_a_person(step)) is not None:
        return refusal
    if names.KILL_SWITCH not in annotations:
        return Nothing("the kill switch is not engaged: there is nothing to release")
    until, by = expiry(annotations), annotations.get(names.RELEASE_REQUESTED_BY)
    if until is not None and step.at < until:
        if by == step.me:
            return Nothing(f"you asked for it already: somebody else can approve until {clock(until)}")
        return Refusal(f"{by} asked for it already: you can be the second: meditron approve {step.target}")
    return {
        names.RELEASE_REQUESTED_BY: step.me,
        names.RELEASE_REQUESTED_AT: rfc3339(step.at),
        names.RELEASE_APPROVED_BY: None,
        names.RESUME: None,
    }


def approve(annotations: Annotations, step: Step) -> Changes | Refusal | Nothing:
    """The second of two people: takes the switch off, and restarts nothing."""
    if (refusal := _not_a_person(step)) is not None:
        return refusal
    if names.KILL_SWITCH not in annotations:
        return Nothing("the kill switch is not engaged: there is nothing to approve")
    until, by = expiry(annotations), annotations.get(names.RELEASE_REQUESTED_BY)
    if until is None:
        return Refusal(f"nobody asked for its release: the first of two people runs: meditron release {step.target}")
    if by == step.me:
        return Refusal("you asked for the release yourself: it takes two people, so somebody else must approve")
    if step.at > until:
        return Refusal(f"{by} asked too long ago (until {clock(until)}): ask again: meditron release {step.target}")
    gone = (names.KILL_SWITCH, names.KILL_REASON, names.KILL_TICKET, names.KILLED_BY)
    return {names.RELEASE_APPROVED_BY: step.me, **dict.fromkeys(gone)}


def resume(annotations: Annotations, step: Step) -> Changes | Refusal | Nothing:
    """The third step: it may run again."""
    if (refusal := _not_a_person(step)) is not None:
        return refusal
    if names.KILL_SWITCH in annotations:
        return Refusal(f"the kill switch is engaged: first it must be released: meditron release {step.target}")
    if names.RELEASE_APPROVED_BY not in annotations or names.RESUME in annotations:
        return Nothing("it is not switched off here: there is nothing to resume")
    return {names.RESUME: step.me}


def _not_a_person(step: Step) -> Refusal | None:
    if step.me.startswith("system:serviceaccount:"):
        return Refusal(f"only a person may do this, and you are {step.me}: use another --context")
    return None


def clock(at: datetime) -> str:
    """A time of day with its date left out where people act within minutes."""
    return at.strftime("%H:%M:%S UTC")
