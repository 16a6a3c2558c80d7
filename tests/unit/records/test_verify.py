"""Any single change to any record is found, at the record that it was made to; what isn't proven yet is said."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from meditron_operator.core.killswitch import SwitchState
from meditron_operator.core.killswitch.records import Finding, Kind, Record, compare, name_of, verify
from meditron_operator.core.killswitch.records.canonical import canonical, spec_hash, status_hash
from tests.unit.records.kit import Clerk, Ward, carrier, outcome

STEPS = st.sampled_from(["hold", "halt", "release", "resume", "prove", "doubt"])
WORDS: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=8), st.integers(-3, 10), st.booleans(), st.none(), st.floats(-1, 1), st.just([]), st.just({})
)


def written(steps: list[tuple[str, str]]) -> list[Record]:
    """The records of what was done, step by step, to two deployments of a namespace."""
    clerk, wards = Clerk(), {"ward": Ward(), "icu": Ward()}
    for name, step in steps:
        ward = wards[name]
        if step not in ("prove", "doubt"):
            ward.do(step)
        here = replace(ward.carrier(), name=name)
        clerk.keep(here)
        if step in ("prove", "doubt"):
            state = SwitchState.ENGAGED if step == "prove" else SwitchState.ENGAGED_UNVERIFIED
            clerk.conclude(here, outcome(state, seconds_to_stop=2.125, unconfirmed_pods=("a", "b")))
    return clerk.records


CHAINS = st.lists(st.tuples(st.sampled_from(["ward", "icu"]), STEPS), min_size=1, max_size=25).map(written)
LIFE = ["halt", "prove", "release", "resume", "hold", "doubt", "halt", "prove", "release"]
SAMPLE = written([("ward", step) for step in LIFE])


def broken(records: list[Record], begins_at: int = 1) -> list[Finding]:
    return [finding for finding in verify(records, begins_at) if finding.broken]


@given(CHAINS)
def test_what_the_guard_writes_is_intact(chain: list[Record]) -> None:
    assert broken(chain) == []
    assert broken(list(reversed(chain))) == []  # the order of a file says nothing


def test_several_namespaces_are_several_chains() -> None:
    other = Clerk()
    other.keep(carrier({"meditron.ai/kill-switch": "halt"}, namespace="icu"))
    assert broken([*SAMPLE, *other.records]) == []


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """To every field, and to every part of one."""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*at, key))


def put(part: Any, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with this value there."""
    changed: dict[str, Any] = copy.deepcopy(part)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def taken(part: Any, path: tuple[Any, ...]) -> dict[str, Any]:
    """A copy without what is there."""
    changed: dict[str, Any] = copy.deepcopy(part)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return changed


def changed(record: Record, part: str, after: dict[str, Any]) -> Record:
    return replace(record, spec=after) if part == "spec" else replace(record, status=after)


@settings(max_examples=600)
@given(CHAINS, st.data())
def test_any_change_of_any_field_is_found_at_its_record(chain: list[Record], data: st.DataObject) -> None:
    assume(chain)
    index = data.draw(st.integers(0, len(chain) - 1), label="record")
    record = chain[index]
    parts = ["spec", *(["status"] if record.outcome else [])]
    part = data.draw(st.sampled_from(parts), label="part")
    before: Any = getattr(record, part)
    path = data.draw(st.sampled_from([*paths(before), ("new",)]), label="path")
    if path != ("new",) and data.draw(st.booleans(), label="take it away"):
        after = taken(before, path)
    else:
        after = put(before, path, data.draw(WORDS, label="value"))
    assume(canonical(after) != canonical(before))
    found = broken([*chain[:index], changed(record, part, after), *chain[index + 1 :]])
    assert record.name in {finding.record for finding in found}


@settings(max_examples=300)
@given(CHAINS, st.data())
def test_a_record_that_is_taken_away_is_found_missing(chain: list[Record], data: st.DataObject) -> None:
    assume(len(chain) > 1)
    index = data.draw(st.integers(0, len(chain) - 2), label="record")
    found = broken([*chain[:index], *chain[index + 1 :]])
    assert (chain[index].name, Kind.MISSING) in {(finding.record, finding.kind) for finding in found}


@settings(max_examples=300)
@given(CHAINS, st.data())
def test_what_is_put_in_swapped_or_renumbered_is_found(chain: list[Record], data: st.DataObject) -> None:
    assume(len(chain) > 1)
    one, other = sorted(data.draw(st.lists(st.integers(0, len(chain) - 1), min_size=2, max_size=2, unique=True)))
    a, b = chain[one], chain[other]

    def inserted() -> list[Record]:
        later = [renumbered(record, record.sequence + 1) for record in chain[one:]]
        return [*chain[:one], renumbered(b, a.sequence), *later]

    def closed() -> list[Record]:
        return [*chain[:one], *(renumbered(record, record.sequence - 1) for record in chain[one + 1 :])]

    changes: list[Callable[[], list[Record]]] = [
        lambda: [*chain, a],
        lambda: [*chain, renumbered(a, len(chain) + 1)],
        lambda: [*chain, replace(a, name=name_of(len(chain) + 1))],
        lambda: [replace(r, name=b.name if r is a else a.name) if r in (a, b) else r for r in chain],
        lambda: [renumbered(r, b.sequence if r is a else a.sequence) if r in (a, b) else r for r in chain],
        lambda: [replace(r, namespace="elsewhere") if r is a else r for r in chain],
        lambda: [replace(r, namespace="elsewhere") for r in chain],
        lambda: [replace(r, name=f"old-{r.name}") if r is a else r for r in chain],
        lambda: [replace(r, status=b.status) if r is a else r for r in chain] if a.outcome and b.outcome else [],
        inserted,
        closed,
    ]
    after = data.draw(st.sampled_from(changes), label="change")()
    assume(after)
    assert broken(after)


def renumbered(record: Record, sequence: int) -> Record:
    return replace(record, name=name_of(sequence), spec={**record.spec, "sequence": sequence})


def forged(record: Record, **changes: Any) -> Record:
    """Changed by somebody who knows how the hash is made."""
    spec = {**record.spec, **changes}
    return replace(record, spec=spec | {"hash": spec_hash(spec)})


@pytest.mark.parametrize(
    ("change", "where", "kinds"),
    [
        (lambda r: replace(r, spec={**r.spec, "reason": "none"}), 2, {Kind.CHANGED_SPEC}),
        (lambda r: replace(r, spec={**r.spec, "hash": "0" * 64}), 2, {Kind.CHANGED_SPEC, Kind.CHANGED_OUTCOME,
                                                                         Kind.PREVIOUS}),
        (lambda r: forged(r, reason="none"), 2, {Kind.CHANGED_OUTCOME, Kind.PREVIOUS}),
        (lambda r: forged(r, previousHash="0" * 64), 2, {Kind.CHANGED_OUTCOME, Kind.PREVIOUS}),
        (lambda r: replace(r, status={**r.status, "state": "Engaged"}), 2, {Kind.CHANGED_OUTCOME}),
        (lambda r: replace(r, status={}), 2, {Kind.ANCHORED}),
        (lambda r: replace(r, status={"state": "Released"}), 2, {Kind.CHANGED_OUTCOME, Kind.ANCHORED}),
        (lambda r: forged(r, previousHash="0" * 64), 1, {Kind.CHANGED_OUTCOME, Kind.PREVIOUS}),
        (lambda r: replace(r, name="kill-2"), 2, {Kind.NAME, Kind.MISSING}),
        (lambda r: replace(r, spec={**r.spec, "sequence": True}), 1, {Kind.NAME, Kind.CHANGED_SPEC}),
        (lambda r: replace(r, spec={}, status={}), 3, {Kind.NAME, Kind.NAMESPACE, Kind.CHANGED_SPEC, Kind.PREVIOUS,
                                                       Kind.ANCHORED}),
    ],
)  # fmt: skip
def test_it_says_where_and_what(change: Callable[[Record], Record], where: int, kinds: set[Kind]) -> None:
    chain = [change(record) if record.sequence == where else record for record in SAMPLE]
    assert {finding.kind for finding in broken(chain)} == kinds


def test_an_earlier_copy_of_the_records() -> None:
    """A later record and a later outcome are no fault; whatever the copy holds must be there, as it was."""
    copy = [replace(SAMPLE[0], status={}), *SAMPLE[1:4]]
    assert compare(copy, SAMPLE) == []
    first, second, _, *rest = SAMPLE
    changed_now = [forged(first, reason="none"), replace(second, status={}), *rest]
    assert [str(finding) for finding in compare(SAMPLE[:3], changed_now)] == [
        "clinical-ai/kill-000001: its spec is not what the copy says",
        "clinical-ai/kill-000002: its outcome is not what the copy says",
        "clinical-ai/kill-000003: missing, and was there when the copy was made",
    ]
    assert [finding.record for finding in compare(SAMPLE, SAMPLE[3:], begins_at=3)] == ["kill-000003"]
    assert all(finding.broken for finding in compare(SAMPLE, []))


HERE = "clinical-ai"
MESSAGES = [
    (lambda r: replace(r, name="kill-2"), f"{HERE}/kill-2: not the name of a record"),
    (lambda r: replace(r, name="kill-000009"), f"{HERE}/kill-000009: its name and its number (2) differ"),
    (lambda r: replace(r, namespace="icu"), "icu/kill-000002: written in the namespace clinical-ai"),
    (lambda r: forged(r, previousHash=""), f"{HERE}/kill-000002: its previousHash is not the hash of kill-000001"),
    (lambda r: replace(r, status={**r.status, "state": "x"}),
     f"{HERE}/kill-000002: its outcome or the hash of it was changed"),
    (lambda r: replace(r, status={"hash": 1}),
     f"{HERE}/kill-000002: the hash of its outcome was changed or taken away"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), MESSAGES)
def test_its_words(change: Callable[[Record], Record], message: str) -> None:
    assert message in [str(finding) for finding in broken([SAMPLE[0], change(SAMPLE[1]), *SAMPLE[2:]])]


def test_the_words_of_the_first_and_of_one_that_is_there_twice() -> None:
    first = forged(SAMPLE[0], previousHash="0" * 64)
    assert "clinical-ai/kill-000001: the first one names a record before it" in map(str, broken([first, *SAMPLE[1:]]))
    assert [str(finding) for finding in broken([*SAMPLE, SAMPLE[1]])] == ["clinical-ai/kill-000002: it is there twice"]


def test_the_notes() -> None:
    loose = written([("ward", "halt"), ("ward", "release")])
    assert [str(finding) for finding in verify(loose)] == [
        "clinical-ai/kill-000001: its outcome is not final, so nothing fixes it",
        "clinical-ai/kill-000002: no later record fixes its outcome yet",
        "clinical-ai/kill-000002: the newest: no later record fixes it yet",
    ]


def test_a_final_outcome_that_somebody_made_up() -> None:
    status = {"state": "Released", "deployments": 3}
    first, second, *rest = SAMPLE
    sealed = replace(second, status=status | {"hash": status_hash(second.hash, status)})
    (finding,) = broken([first, sealed, *rest])
    assert (finding.record, finding.kind) == (second.name, Kind.ANCHORED)
    assert str(finding) == "clinical-ai/kill-000002: its outcome is not the one that kill-000003 fixed"


def test_what_can_not_be_vouched_for_yet_is_no_fault() -> None:
    told = {(finding.record, finding.kind) for finding in verify(SAMPLE)}
    assert told == {
        ("kill-000004", Kind.NOT_FINAL),  # the hold became a halt before it was proven
        ("kill-000006", Kind.NOT_ANCHORED),
    }


def test_what_was_purged_after_its_time() -> None:
    (finding,) = broken(SAMPLE[3:])
    assert (finding.record, finding.message) == ("kill-000001", "missing, and all up to kill-000003")
    assert broken(SAMPLE[3:], begins_at=4) == []
    assert broken(SAMPLE[4:], begins_at=4) != []
    assert broken(SAMPLE, begins_at=4) == []


def test_the_hash_is_what_any_other_tool_computes() -> None:
    """As docs/records.md shows it: sorted keys, no blanks, UTF-8."""
    record = SAMPLE[0]
    spec = {key: value for key, value in record.spec.items() if key != "hash"}
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert record.hash == hashlib.sha256(text.encode()).hexdigest()
    status = {key: value for key, value in record.status.items() if key != "hash"}
    assert status["secondsToStop"] == 2.125
    text = record.hash + json.dumps(status, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert record.outcome == hashlib.sha256(text.encode()).hexdigest()


def test_a_whole_number_is_the_same_with_and_without_a_fraction() -> None:
    assert canonical({"b": [2.0, {"c": 1.5}], "a": "ü\n"}) == '{"a":"ü\\n","b":[2,{"c":1.5}]}'.encode()
