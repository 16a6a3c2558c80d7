"""Which record is due for what carries the annotation of the switch, and which switch went without a release.

Both compare the annotations as they are with the last records of the same target: run again after the record is
written, nothing is due. The annotations of a release stay after it as a trace. So one that the records know already,
from before the last stop, releases nothing, and one that they don't know was missed and is written down late.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meditron_operator import names
from meditron_operator.core.killswitch.carrier import Carrier
from meditron_operator.core.killswitch.drill import is_drill
from meditron_operator.core.killswitch.effective import Annotations, Mode, Scope
from meditron_operator.core.killswitch.records.record import STOPS, Action, Record, cut, in_order

_AGAIN: Final = "engaged again: "
_NEVER: Final = " was never released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a record is to say; its place in the chain is found when it is written."""

    action: Action
    mode: Mode
    actor: str = ""
    requested_by: str = ""
    reason: str = ""
    ticket: str = ""
    requested_at: str = ""
    admitted_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a record is about; `namespace` is the record's own, which a namespace that carries the switch is itself."""

    scope: Scope
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release:
    """The two people of a release, and when the first asked: what tells one release from another."""

    requested_by: str
    requested_at: str
    approved_by: str


def home(carrier: Carrier) -> str:
    """The namespace of its records. A namespace that carries the annotation is in none, and is its own."""
    return carrier.namespace or carrier.name


def of_target(carrier: Carrier, records: Iterable[Record]) -> list[Record]:
    """What was done to this target, the oldest first. A namesake made later is the same one."""
    key = str(carrier.scope), carrier.name
    return in_order(each for each in records if (each.text("scope"), each.text("target")) == key)


def in_force(carrier: Carrier, records: Iterable[Record]) -> Record | None:
    """The record of the stop that still counts: until somebody resumes, a released one does too."""
    stop: Record | None = None
    for record in of_target(carrier, records):
        if record.action in STOPS:
            stop = record
        elif record.action == Action.RESUME:
            stop = None
    return stop


def target_of(record: Record) -> Target:
    """Whom a record is about."""
    return Target(scope=Scope(record.text("scope")), namespace=record.namespace, name=record.text("target"))


def due(carrier: Carrier, records: Iterable[Record]) -> Entry | None:
    """The record to write next; after it another may be due. None when the records say it all."""
    known, annotations = of_target(carrier, records), carrier.annotations
    last = known[-1] if known else None
    release = _release(annotations)
    if release is not None and _is_missed(release, known, annotations):
        return _released(release, last, carrier)
    if last is not None and last.action == Action.RELEASE and _is_over(release, annotations):
        return _resumed(last, carrier)
    return _engaged(last, carrier) if names.KILL_SWITCH in annotations else None


def vanished(carrier: Carrier, records: Iterable[Record]) -> dict[str, str] | None:
    """The annotations to put back where a stop that was never released is gone, or became weaker.

    It was deleted and made anew, restored from a backup, or the admission policies were not there. Only for what
    `due` finds no record for: a release is written down first, and is then none to put back.
    """
    known = of_target(carrier, records)
    last = known[-1] if known else None
    if last is None or last.action not in STOPS or due(carrier, records) is not None:
        return None
    now = carrier.annotations.get(names.KILL_SWITCH)
    if now is not None and Mode.of(now).strength >= last.mode.strength:
        return None
    why = last.text("reason")
    if why.startswith(_AGAIN):  # the person's own words, not ours about them
        why = why.partition(f"{_NEVER} (")[2].removesuffix(")")
    reason = f"{_AGAIN}{last.name}{_NEVER}" + (f" ({why})" if why else "")
    back = {names.KILL_SWITCH: str(last.mode), names.KILL_REASON: reason}
    ticket = last.text("ticket")
    return back | ({names.KILL_TICKET: ticket} if ticket else {})


def _release(annotations: Annotations) -> _Release | None:
    """The release that the annotations tell of. It takes two: half of one is none."""
    approved, requested = (_text(annotations, key) for key in (names.RELEASE_APPROVED_BY, names.RELEASE_REQUESTED_BY))
    if not approved or not requested:
        return None
    when = cut("requestedAt", annotations.get(names.RELEASE_REQUESTED_AT, ""))
    return _Release(requested_by=requested, requested_at=when, approved_by=approved)


def _is_missed(release: _Release, known: list[Record], annotations: Annotations) -> bool:
    """Whether no record tells of it. Where nothing is known at all, what was over before we came is left alone."""
    if not known:
        return names.KILL_SWITCH in annotations or names.RESUME not in annotations
    written = next((each for each in reversed(known) if each.action == Action.RELEASE), None)
    if written is None or release != _Release(
        requested_by=written.text("requestedBy"),
        requested_at=written.text("requestedAt"),
        approved_by=written.text("actor"),
    ):
        return True
    # The same two can release twice within one second: dates don't tell these apart, but the stop came in between.
    in_between = known[-1].action in STOPS and known[-1].text("admittedAt") == release.requested_at
    return in_between and names.KILL_SWITCH not in annotations


def _is_over(release: _Release | None, annotations: Annotations) -> bool:
    """Whether what was released may run, or did before it was engaged anew. Its traces may be gone by then."""
    if names.KILL_SWITCH in annotations:
        return release is not None and names.RESUME in annotations
    return names.RELEASE_APPROVED_BY not in annotations or names.RESUME in annotations


def _released(release: _Release, last: Record | None, carrier: Carrier) -> Entry:
    over = not carrier.annotations.keys().isdisjoint({names.KILL_SWITCH, names.RESUME})
    return Entry(
        action=Action.RELEASE,
        mode=last.mode if last else Mode.HALT,
        actor=release.approved_by,
        requested_by=release.requested_by,
        requested_at=release.requested_at,
        admitted_at=None if over else carrier.admitted_at,  # that of something later
    )


def _resumed(last: Record, carrier: Carrier) -> Entry:
    return Entry(
        action=Action.RESUME,
        mode=last.mode,
        actor=_text(carrier.annotations, names.RESUME),
        admitted_at=None if names.KILL_SWITCH in carrier.annotations else carrier.admitted_at,
    )


def _engaged(last: Record | None, carrier: Carrier) -> Entry | None:
    annotations = carrier.annotations
    action, mode = _stop(last, carrier), Mode.of(annotations[names.KILL_SWITCH])
    if action is None:
        return None
    over_drill = action == Action.ESCALATE and last is not None and mode is last.mode
    return Entry(
        action=action,
        mode=mode,
        actor=_text(annotations, names.KILLED_BY),
        reason=annotations.get(names.KILL_REASON, ""),
        ticket=annotations.get(names.KILL_TICKET, ""),
        admitted_at=None if over_drill else carrier.admitted_at,  # that of the drill
    )


def _stop(last: Record | None, carrier: Carrier) -> Action | None:
    """What the engaged carrier is by the last record; None where that tells of this very stop."""
    annotations, drill = carrier.annotations, is_drill(carrier.annotations)
    if last is None or last.action not in STOPS:
        return Action.DRILL if drill else Action.ENGAGE
    rise = Mode.of(annotations[names.KILL_SWITCH]).strength - last.mode.strength
    same = last.text("targetUID") == carrier.uid
    again = _is_put_back(last, annotations)
    real = last.action == Action.DRILL and not drill and not again
    if same and (rise > 0 or (rise == 0 and real)):
        return Action.ESCALATE
    if rise < 0 or (same and not again and _text(annotations, names.KILLED_BY) in ("", last.text("actor"))):
        return None
    # Not a drill where a real stop was never released.
    return Action.DRILL if drill and last.action == Action.DRILL else Action.ENGAGE


def _is_put_back(last: Record, annotations: Annotations) -> bool:
    """Whether it is the last stop as we engaged it again."""
    return annotations.get(names.KILL_REASON, "").startswith(f"{_AGAIN}{last.name}{_NEVER}")


def _text(annotations: Annotations, key: str) -> str:
    """Somebody's name, no longer than a record holds: what is compared with one must have been cut like it."""
    return cut("actor", annotations.get(key, ""))
