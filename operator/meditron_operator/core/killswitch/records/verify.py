"""Walks a chain of records, and says exactly where it breaks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from typing import Any, Final

from meditron_operator.core.killswitch.records.canonical import canonical, spec_hash, status_hash
from meditron_operator.core.killswitch.records.record import Record, in_order, name_of

_SEALED: Final = frozenset({"Engaged", "Released", "Resumed"})


class Kind(StrEnum):
    """What is found at a record."""

    NAME = "name"  # not the name of a record, or of another number
    NAMESPACE = "namespace"  # it belongs to the chain of another namespace
    DUPLICATE = "duplicate"
    MISSING = "missing"
    CHANGED_SPEC = "changed-spec"
    PREVIOUS = "wrong-previous"
    CHANGED_OUTCOME = "changed-outcome"
    ANCHORED = "anchored-outcome-differs"
    COPY = "unlike-the-copy"
    NOT_FINAL = "outcome-not-final"
    NOT_ANCHORED = "not-anchored"

    @property
    def broken(self) -> bool:
        """The last two tell what the chain can't vouch for yet, and are no fault."""
        return self not in (Kind.NOT_FINAL, Kind.NOT_ANCHORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about one record."""

    namespace: str
    record: str
    kind: Kind
    message: str

    @property
    def broken(self) -> bool:
        return self.kind.broken

    def __str__(self) -> str:
        return f"{self.namespace}/{self.record}: {self.message}"


def verify(records: Iterable[Record], begins_at: int = 1) -> list[Finding]:
    """Everything that is wrong, and what can't be vouched for yet; several namespaces are several chains.

    `begins_at`: the oldest number that must be there, where older records were purged after their time.
    """
    ordered = sorted(records, key=lambda record: record.namespace)
    found: list[Finding] = []
    for _, chain in groupby(ordered, key=lambda record: record.namespace):
        found += _chain(in_order(chain), begins_at)
    return found


def compare(copy: Iterable[Record], records: Iterable[Record], begins_at: int = 1) -> list[Finding]:
    """Where the records are not what an earlier copy of them holds; a later one may hold more, and final outcomes.

    What the chain itself can't show: that its newest records are gone, or that all of it was written anew.
    """
    now = {(record.namespace, record.name): record for record in records}
    found: list[Finding] = []
    for earlier in copy:
        record = now.get((earlier.namespace, earlier.name))
        if record is None:
            if earlier.sequence >= begins_at:
                found.append(_finding(earlier, Kind.COPY, "missing, and was there when the copy was made"))
        elif not _same(record.spec, earlier.spec):
            found.append(_finding(earlier, Kind.COPY, "its spec is not what the copy says"))
        elif earlier.outcome is not None and earlier.outcome != record.outcome:
            found.append(_finding(earlier, Kind.COPY, "its outcome is not what the copy says"))
    return found


def _chain(chain: list[Record], begins_at: int) -> Iterator[Finding]:
    numbered = {record.sequence: record for record in chain if record.number is not None}
    yield from _order(chain, begins_at)
    anchored = {sequence for record in chain for sequence, _ in record.anchors}
    for record in chain:
        yield from _spec(record)
        yield from _previous(record, numbered)
        yield from _status(record)
        yield from _anchors(record, numbered)
        if record.outcome is None:
            yield _finding(record, Kind.NOT_FINAL, "its outcome is not final, so nothing fixes it")
        elif record.sequence not in anchored:
            yield _finding(record, Kind.NOT_ANCHORED, "no later record fixes its outcome yet")
    if chain:
        yield _finding(chain[-1], Kind.NOT_ANCHORED, "the newest: no later record fixes it yet")


def _order(chain: list[Record], begins_at: int) -> Iterator[Finding]:
    if chain and chain[0].sequence > begins_at:
        yield _missing(chain[0].namespace, begins_at, chain[0].sequence - 1)
    for one, other in pairwise(chain):
        if one.number is not None and one.number == other.number:
            yield _finding(other, Kind.DUPLICATE, "it is there twice")
        elif one.number is not None and other.sequence > one.number + 1:
            yield _missing(one.namespace, one.number + 1, other.sequence - 1)


def _missing(namespace: str, first: int, last: int) -> Finding:
    message = "missing" if first == last else f"missing, and all up to {name_of(last)}"
    return Finding(namespace=namespace, record=name_of(first), kind=Kind.MISSING, message=message)


def _spec(record: Record) -> Iterator[Finding]:
    sequence = record.spec.get("sequence")
    if record.number is None or record.name != name_of(record.number):
        yield _finding(record, Kind.NAME, "not the name of a record")
    elif type(sequence) is not int or sequence != record.number:
        yield _finding(record, Kind.NAME, f"its name and its number ({sequence}) differ")
    if record.spec.get("namespace") != record.namespace:
        yield _finding(record, Kind.NAMESPACE, f"written in the namespace {record.text('namespace') or 'of no name'}")
    if not _holds(lambda: record.hash == spec_hash(record.spec)):
        yield _finding(record, Kind.CHANGED_SPEC, "its spec or its hash was changed")


def _previous(record: Record, numbered: Mapping[int, Record]) -> Iterator[Finding]:
    before = numbered.get(record.sequence - 1)
    told = record.spec.get("previousHash")
    if record.sequence == 1 and told != "":
        yield _finding(record, Kind.PREVIOUS, "the first one names a record before it")
    elif before is not None and told != before.hash:
        yield _finding(record, Kind.PREVIOUS, f"its previousHash is not the hash of {before.name}")


def _status(record: Record) -> Iterator[Finding]:
    if record.outcome is not None:
        if not _holds(lambda: record.outcome == status_hash(record.hash, record.status)):
            yield _finding(record, Kind.CHANGED_OUTCOME, "its outcome or the hash of it was changed")
    elif "hash" in record.status or record.status.get("state") in _SEALED:
        yield _finding(record, Kind.CHANGED_OUTCOME, "the hash of its outcome was changed or taken away")


def _anchors(record: Record, numbered: Mapping[int, Record]) -> Iterator[Finding]:
    for sequence, outcome in record.anchors:
        earlier = numbered.get(sequence)
        if earlier is not None and earlier.outcome != outcome:
            message = f"its outcome is not the one that {record.name} fixed"
            yield _finding(earlier, Kind.ANCHORED, message)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return _holds(lambda: canonical(one) == canonical(other))


def _holds(equal: Callable[[], bool]) -> bool:
    """What can't even be hashed, a number that is none for instance, was changed."""
    try:
        return equal()
    except (TypeError, ValueError, RecursionError):
        return False


def _finding(record: Record, kind: Kind, message: str) -> Finding:
    return Finding(namespace=record.namespace, record=record.name, kind=kind, message=message)
