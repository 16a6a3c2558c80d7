"""A clerk who writes what is due, without a cluster; and the people whose doings it writes down."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from meditron_operator import names
from meditron_operator.core.killswitch import Scope, SwitchState, drill
from meditron_operator.core.killswitch.carrier import Carrier, Outcome
from meditron_operator.core.killswitch.records import (
    Record,
    concerned,
    due,
    next_record,
    outcome_of,
    plain_outcome,
    unfinished,
    vanished,
)

NOON = "2026-01-31T12:00:00Z"
KILL, REASON, TICKET, BY = names.KILL_SWITCH, names.KILL_REASON, names.KILL_TICKET, names.KILLED_BY
ASKED_BY, ASKED_AT = names.RELEASE_REQUESTED_BY, names.RELEASE_REQUESTED_AT
APPROVED, RESUME = names.RELEASE_APPROVED_BY, names.RESUME

ENGAGED = {KILL: "halt", REASON: "wrong dose", BY: "anna", TICKET: "T-1"}
DRILLED = {KILL: "halt", REASON: drill.REASON, BY: "anna"}
RELEASED = {ASKED_BY: "rita", ASKED_AT: NOON, APPROVED: "paul"}


def carrier(annotations: Mapping[str, str], **changes: Any) -> Carrier:
    """A deployment `ward` that wears these."""
    plain = Carrier(
        scope=Scope.DEPLOYMENT,
        namespace="clinical-ai",
        name="ward",
        uid="u-1",
        annotations=annotations,
        admitted_at=NOON,
    )
    return replace(plain, **changes)


def outcome(state: SwitchState = SwitchState.ENGAGED, **changes: Any) -> Outcome:
    plain = Outcome(
        state=state,
        traffic_cut_at=NOON,
        last_pod_gone_at=NOON,
        verified_at=NOON,
        seconds_to_stop=2.0,
        deployments=1,
        unconfirmed_pods=(),
    )
    return replace(plain, **changes)


@dataclass
class Clerk:
    """Keeps records as the guard does, in a list."""

    records: list[Record] = field(default_factory=list)

    def keep(self, of: Carrier) -> list[str]:
        """Write whatever is due; what was done, in order."""
        done: list[str] = []
        while (entry := due(of, self.records)) is not None:
            self.records.append(Record.of(next_record(entry, of, NOON, self.records)))
            done.append(str(entry.action))
            assert len(done) < 10, "it never ends"
        while (record := unfinished(of, self.records)) is not None:
            self.conclude_record(record, plain_outcome(record))
        return done

    def conclude(self, of: Carrier, what: Outcome) -> None:
        record = concerned(of, what.state, self.records)
        if record is not None and record.outcome is None:
            self.conclude_record(record, outcome_of(record, what))

    def conclude_record(self, record: Record, status: Mapping[str, Any]) -> None:
        self.records[self.records.index(record)] = replace(record, status=status)


@dataclass
class Ward:
    """A deployment under the admission policies: people change it in the ways that these allow."""

    annotations: dict[str, str] = field(default_factory=dict)
    clock: "itertools.count[int]" = field(default_factory=itertools.count)

    def do(self, step: str) -> None:
        """One of the modes, or what its method says."""
        doings = {"release": self.release, "resume": self.resume, "tidy": self.tidy}
        doings.get(step, lambda: self.engage(step))()

    def engage(self, mode: str) -> None:
        order = ("hold", "drain", "halt")
        old = self.annotations.get(KILL)
        if old is None or order.index(mode) > order.index(old):
            self.annotations |= {KILL: mode, REASON: "why", BY: "anna"}

    def release(self) -> None:
        if KILL in self.annotations:
            for key in (KILL, REASON, BY, RESUME):
                self.annotations.pop(key, None)
            when = f"2026-01-31T12:{next(self.clock) % 60:02}:00Z"
            self.annotations |= {ASKED_BY: "rita", ASKED_AT: when, APPROVED: "paul"}

    def resume(self) -> None:
        if KILL not in self.annotations and APPROVED in self.annotations:
            self.annotations[RESUME] = "rosa"

    def tidy(self) -> None:
        if RESUME in self.annotations and KILL not in self.annotations:
            self.annotations.clear()

    def carrier(self) -> Carrier:
        return carrier(dict(self.annotations))


def restored(of: Carrier, clerk: Clerk) -> Carrier:
    """With what vanished put back, if anything did."""
    back = vanished(of, clerk.records)
    return of if back is None else replace(of, annotations={**of.annotations, **back})
