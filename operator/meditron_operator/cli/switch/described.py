"""The switch of a deployment as data and as a row of a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.killswitch.effective import Engaged
from meditron_operator.core.killswitch.outcome import Outcome, Standing, outcome
from meditron_operator.core.killswitch.sight import Sight
from meditron_operator.core.killswitch.steps import clock, expiry
from meditron_operator.core.killswitch.told import SwitchState

HEAD: Final = ("NAMESPACE", "NAME", "STATE", "MODE", "SCOPE", "BY", "SINCE", "PODS", "PROOF")
ON: Final = "NotEngaged"
UNKNOWN: Final = "Unknown"
"""Not off by what could be seen; a wider scope could not be."""


def state(sight: Sight) -> str:
    """In the words of the status; where no guard told it, as far as can be seen."""
    if sight.off is None:
        return ON if sight.every_scope_seen else UNKNOWN
    if not isinstance(sight.off, Engaged):
        return str(SwitchState.RELEASED)
    found = outcome(sight).standing
    if found is Standing.NOT_STOPPED:
        return str(SwitchState.ENGAGING)
    if found is Standing.PROVEN:
        return str(SwitchState.ENGAGED)
    return str(SwitchState.ENGAGED_UNVERIFIED if sight.told is None else sight.told.state)


def row(sight: Sight) -> tuple[str, ...]:
    """Of the table that HEAD heads."""
    off = sight.off
    return (
        sight.namespace,
        sight.name,
        state(sight),
        str(sight.mode or "-"),
        str(off.scope) if off else "-",
        _by(sight) or "-",
        _since(sight),
        "?" if sight.pods is None else str(len(sight.pods)),
        _proof(sight),
    )


def lines(sight: Sight, now: datetime | None) -> tuple[str, ...]:
    """What the table has no room for. `now` is the API server's clock, where it is known."""
    if sight.off is None:
        return ()
    found = outcome(sight) if isinstance(sight.off, Engaged) else Outcome(standing=Standing.PROVEN)
    told = [f"why: {_reason(sight)}"] if isinstance(sight.off, Engaged) else [str(sight.off)]
    ticket = sight.carrier.get(names.KILL_TICKET)
    told += [f"ticket: {ticket}"] if ticket else []
    told += [f"still there: {each}" for each in found.missing if found.standing is Standing.NOT_STOPPED]
    told += [f"not proven: {each}" for each in found.missing if found.standing is Standing.UNPROVEN]
    told += [f"next: {each}" for each in found.steps]
    return tuple(told + _release(sight, now))


def described(sight: Sight) -> dict[str, Any]:
    """As JSON; what nobody may look at is null."""
    told, found = sight.told, outcome(sight)
    engaged = isinstance(sight.off, Engaged)
    until = expiry(sight.carrier)
    return {
        "namespace": sight.namespace,
        "name": sight.name,
        "state": state(sight),
        "scope": str(sight.off.scope) if sight.off else None,
        "mode": str(sight.mode) if sight.mode else None,
        "reason": sight.carrier.get(names.KILL_REASON),
        "ticket": sight.carrier.get(names.KILL_TICKET),
        "killedBy": _by(sight) or None,
        "since": None if _since(sight) == "-" else _since(sight),
        "proven": engaged and found.standing is Standing.PROVEN,
        "pods": None if sight.pods is None else [pod.name for pod in sight.pods],
        "endpoints": sight.endpoints,
        "replicas": sight.replicas,
        "clientsPolicy": sight.policy,
        "missing": list(found.missing) if engaged else [],
        "next": list(found.steps) if engaged else [],
        "release": {
            "requestedBy": sight.carrier.get(names.RELEASE_REQUESTED_BY),
            "requestedAt": sight.carrier.get(names.RELEASE_REQUESTED_AT),
            "expiresAt": None if until is None else until.isoformat().replace("+00:00", "Z"),
            "approvedBy": sight.carrier.get(names.RELEASE_APPROVED_BY),
        },
        "guard": None if told is None else told.wire(),
    }


def table(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Aligned as kubectl does it."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return tuple("   ".join(map(str.ljust, each, widths)).rstrip() for each in rows)


def _by(sight: Sight) -> str:
    if not isinstance(sight.off, Engaged):
        return ""
    return sight.carrier.get(names.KILLED_BY) or (sight.told.killed_by if sight.told else "")


def _since(sight: Sight) -> str:
    told = sight.told
    if told is not None and (told.admitted_at or told.engaged_at):
        return str(told.admitted_at or told.engaged_at)
    return "-" if sight.since is None else f"{sight.since:%Y-%m-%dT%H:%M:%SZ}"


def _reason(sight: Sight) -> str:
    return sight.carrier.get(names.KILL_REASON) or "no reason given"


def _proof(sight: Sight) -> str:
    if not isinstance(sight.off, Engaged):
        return "-"
    if sight.told is None:
        return "no guard"
    if outcome(sight).standing is Standing.PROVEN:
        return sight.told.verified_at or "yes"
    return "not yet"


def _release(sight: Sight, now: datetime | None) -> list[str]:
    until, by = expiry(sight.carrier), sight.carrier.get(names.RELEASE_REQUESTED_BY)
    if until is None:
        return []
    if now is not None and now > until:
        return [f"release: {by} asked for it, and nobody approved until {clock(until)}: it must be asked for again"]
    left = "" if now is None else f", {int((until - now).total_seconds() // 60)} min from now"
    return [f"release: {by} asked for it; somebody else may approve until {clock(until)}{left}"]


def report(told: Mapping[str, Any], sights: Sequence[Sight]) -> dict[str, Any]:
    """A command's answer as JSON."""
    return {**told, "deployments": [described(each) for each in sights]}
