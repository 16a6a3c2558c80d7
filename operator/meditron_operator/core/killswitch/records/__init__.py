"""KillRecords: what is written down of each stop, release and resume, in a chain that shows every later change."""

from meditron_operator.core.killswitch.records.due import Entry, Target, due, home, in_force, target_of, vanished
from meditron_operator.core.killswitch.records.record import STOPS, Action, Record, in_order, name_of
from meditron_operator.core.killswitch.records.report import clean, moment, report
from meditron_operator.core.killswitch.records.verify import Finding, Kind, compare, verify
from meditron_operator.core.killswitch.records.write import (
    concerned,
    next_record,
    outcome_of,
    plain_outcome,
    unfinished,
)

__all__ = [
    "STOPS",
    "Action",
    "Entry",
    "Finding",
    "Kind",
    "Record",
    "Target",
    "clean",
    "compare",
    "concerned",
    "due",
    "home",
    "in_force",
    "in_order",
    "moment",
    "name_of",
    "next_record",
    "outcome_of",
    "plain_outcome",
    "report",
    "target_of",
    "unfinished",
    "vanished",
    "verify",
]
