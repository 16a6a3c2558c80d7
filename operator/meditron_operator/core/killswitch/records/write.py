"""What is written: the next record of a chain, and the outcome of one."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.killswitch.carrier import Carrier, Outcome
from meditron_operator.core.killswitch.records.canonical import spec_hash, status_hash
from meditron_operator.core.killswitch.records.due import Entry, home, in_force, of_target
from meditron_operator.core.killswitch.records.record import (
    LONGEST,
    MOST_OUTCOMES,
    MOST_UNCONFIRMED,
    Action,
    Record,
    cut,
    in_order,
    name_of,
)
from meditron_operator.core.killswitch.told import SwitchState

Manifest = dict[str, Any]

_FINAL: Final = frozenset({SwitchState.ENGAGED, SwitchState.RELEASED, SwitchState.RESUMED})
_MEASURED: Final = ("trafficCutAt", "lastPodGoneAt", "verifiedAt", "secondsToStop")
_COMES_TO: Final[Mapping[str, SwitchState]] = {Action.RELEASE: SwitchState.RELEASED, Action.RESUME: SwitchState.RESUMED}


def next_record(entry: Entry, carrier: Carrier, seen_at: str, records: Iterable[Record]) -> Manifest:
    """The record after all of `records`, which are all of the carrier's home."""
    chain = [record for record in in_order(records) if record.number is not None]
    last = chain[-1] if chain else None
    sequence = last.sequence + 1 if last else 1
    said = {
        "actor": entry.actor,
        "requestedBy": entry.requested_by,
        "reason": entry.reason,
        "ticket": entry.ticket,
        "requestedAt": entry.requested_at,
        "admittedAt": entry.admitted_at or "",
        "seenAt": seen_at,
        "targetUID": carrier.uid,
    }
    spec: Manifest = {
        "sequence": sequence,
        "namespace": home(carrier),
        "action": str(entry.action),
        "scope": str(carrier.scope),
        "target": carrier.name,
        "mode": str(entry.mode),
        **{key: cut(key, said[key]) for key in LONGEST if said[key]},
        **({"outcomes": loose} if (loose := _loose(chain)) else {}),
        "previousHash": last.hash if last else "",
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.RECORD_KIND,
        "metadata": {"name": name_of(sequence), "namespace": home(carrier)},
        "spec": spec | {"hash": spec_hash(spec)},
    }


def _loose(chain: list[Record]) -> list[Manifest]:
    """Outcomes that no record fixes yet, the oldest first; what is too much for one record is the next one's."""
    fixed = {sequence for record in chain for sequence, _ in record.anchors}
    found = ((each.sequence, each.outcome) for each in chain if each.outcome and each.sequence not in fixed)
    return [{"sequence": sequence, "hash": outcome} for sequence, outcome in found][:MOST_OUTCOMES]


def unfinished(carrier: Carrier, records: Iterable[Record]) -> Record | None:
    """A release or a resume without its outcome: that is known as soon as the record is there."""
    known = of_target(carrier, records)
    return next((each for each in known if each.action in _COMES_TO and each.outcome is None), None)


def concerned(carrier: Carrier, state: SwitchState, records: Iterable[Record]) -> Record | None:
    """The record that an outcome in this state is the outcome of; None where none is, or none is yet."""
    records = list(records)
    stop = in_force(carrier, records)
    known = of_target(carrier, records)
    last = known[-1] if known else None
    if last is None or last.text("targetUID") != carrier.uid:
        return None
    if state in (SwitchState.ENGAGED, SwitchState.ENGAGED_UNVERIFIED):
        return stop if stop is last else None  # of one that was released meanwhile nothing new can be said
    return last if _COMES_TO.get(last.action) == state else None


def plain_outcome(record: Record) -> Manifest:
    """Of a release or a resume: all that there is to say."""
    return _sealed(record, {"state": str(_COMES_TO[record.action])})


def outcome_of(record: Record, outcome: Outcome) -> Manifest:
    """The status of a record; final ones are sealed with a hash, and then never change."""
    told = {
        "state": str(outcome.state),
        "trafficCutAt": outcome.traffic_cut_at,
        "lastPodGoneAt": outcome.last_pod_gone_at,
        "verifiedAt": outcome.verified_at,
        "secondsToStop": None if outcome.seconds_to_stop is None else round(outcome.seconds_to_stop, 3),
        "deployments": outcome.deployments,
        "unconfirmedPods": _named(outcome.unconfirmed_pods),
    }
    status = {key: value for key, value in told.items() if value not in (None, "", [])}
    if outcome.state in _FINAL:
        return _sealed(record, status)
    # Two guards look at slightly different times: the first one's stay, or each would write after the other for ever.
    same = record.status.get("state") == status["state"]
    return status | {key: record.status[key] for key in _MEASURED if same and key in record.status}


def _sealed(record: Record, status: Manifest) -> Manifest:
    return status | {"hash": status_hash(record.hash, status)}


def _named(pods: tuple[str, ...]) -> list[str]:
    if len(pods) <= MOST_UNCONFIRMED:
        return list(pods)
    kept = pods[: MOST_UNCONFIRMED - 1]
    return [*kept, f"and {len(pods) - len(kept)} more"]
