"""What a stop takes away, and when: every mode, every word of the guard, every moment."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator import names
from meditron_operator.core.killswitch import (
    Annotations,
    Draining,
    Engaged,
    Mode,
    Off,
    Released,
    Scope,
    Stop,
    SwitchState,
    SwitchStatus,
    admitted_at,
    drain_since,
    grace_seconds,
    measures,
    stop_of,
)
from meditron_operator.core.live import Live

BEGUN = datetime(2026, 2, 2, 2, 2, 0, tzinfo=UTC)
SINCE = "2026-02-02T02:02:00Z"
RELEASED = Released(scope=Scope.DEPLOYMENT, requested_by="rita", approved_by="paul")
OLD = "2026-01-01T00:00:00.000Z"


def engaged(mode: str, scope: Scope = Scope.DEPLOYMENT, reason: str = "wrong dose") -> Engaged:
    return Engaged(scope=scope, mode=mode, reason=reason)


def told(state: str = "Engaging", mode: str = "drain", **more: Any) -> SwitchStatus:
    known: dict[str, Any] = {"scope": "deployment", "reason": "wrong dose", "engaged_at": "2026-02-02T02:02:00.250Z"}
    return SwitchStatus(state=SwitchState(state), mode=mode, **{**known, **more})


def at(
    seconds: float,
    off: Off | None,
    guard: SwitchStatus | None = None,
    since: str | None = SINCE,
    before: Stop | None = None,
    carrier: Annotations | None = None,
) -> Stop | None:
    """`before` is what the operator said earlier."""
    word, until = (before.word, before.until) if before else (None, None)
    draining = Draining(since=since, grace_seconds=30, word=word, until=until.isoformat() if until else None)
    return stop_of(off, carrier or {}, guard, draining, BEGUN + timedelta(seconds=seconds))


def state(stop: Stop | None) -> str:
    """`runs`, `held` or `cut`, and the second at which a drain ends."""
    if stop is None:
        return "runs"
    assert stop.measures.gates
    if stop.drains_until is None:
        return "cut" if stop.measures.cut else "held"
    assert not stop.measures.cut
    return f"held until {(stop.drains_until - BEGUN).total_seconds():g}"


ENGAGING, RESUMED = told(), told("Resumed")

CASES: list[tuple[str, Off | None, SwitchStatus | None, float, str | None]] = [
    # what becomes of it, what the annotations say, what the guard tells, seconds, since when the server has it
    ("runs", None, None, 0, None),
    ("runs", None, told("Engaged"), 0, None),
    ("cut", engaged("halt"), None, 0, SINCE),
    ("cut", engaged("stop!"), None, 0, SINCE),
    ("cut", engaged("stop!"), told("Engaged", "hold"), 0, SINCE),
    ("held", engaged("hold"), None, 0, SINCE),
    ("held", engaged("hold"), None, 10**9, None),
    ("held", engaged("hold"), told("Engaged", "drain"), 0, SINCE),
    # a drain: the guard's clock, else the server's, else at once
    ("held until 30", engaged("drain"), None, 0, SINCE),
    ("held until 30", engaged("drain"), None, 29.999, SINCE),
    ("cut", engaged("drain"), None, 30, SINCE),
    ("cut", engaged("drain"), None, 0, None),
    ("cut", engaged("drain"), None, 0, "junk"),
    ("held until 30.25", engaged("drain"), ENGAGING, 30, SINCE),
    ("held until 30.25", engaged("drain"), ENGAGING, 1, "2026-02-02T02:02:20Z"),  # annotated again
    ("held until 30.25", engaged("drain"), ENGAGING, 1, None),
    ("cut", engaged("drain"), ENGAGING, 30.25, SINCE),
    ("held until 30.25", engaged("drain", reason="other words"), ENGAGING, 1, SINCE),
    ("held until 30", engaged("drain"), told(engaged_at=None), 1, SINCE),
    ("held until 30", engaged("drain"), told(engaged_at="junk"), 1, SINCE),
    # a clock that is behind the server's, or was set back
    ("held until -3570", engaged("drain"), None, -3600, SINCE),
    ("held until -3570", engaged("drain"), ENGAGING, -3600, SINCE),
    # cut already, says the guard
    ("cut", engaged("drain"), told("Engaged"), 1, SINCE),
    ("cut", engaged("drain"), told("EngagedUnverified"), 1, SINCE),
    ("cut", engaged("drain"), told(traffic_cut_at="2026-02-02T02:02:01.000Z"), 1, SINCE),
    # what it tells of another stop counts for nothing
    ("held until 30", engaged("drain"), told("Resumed", engaged_at=OLD), 1, SINCE),
    ("held until 30", engaged("drain"), told("Released", engaged_at=OLD), 1, SINCE),
    ("held until 30", engaged("drain"), told("Engaged", "hold", engaged_at=OLD), 1, SINCE),
    ("held until 30", engaged("drain"), told("Engaged", scope="cluster", engaged_at=OLD), 1, SINCE),
    ("held until 30", engaged("drain", Scope.NAMESPACE), told("Engaged"), 1, SINCE),
    # released: as what was released
    ("held", RELEASED, told("Released", "hold"), 1, None),
    ("held", RELEASED, told("Engaged", "hold"), 1, None),
    ("cut", RELEASED, told("Released", "drain"), 1, SINCE),
    ("cut", RELEASED, told("Released", "halt"), 1, SINCE),
    ("cut", RELEASED, told("Resumed", "hold"), 1, SINCE),
    ("cut", RELEASED, told("Released", "hold", scope="namespace"), 1, SINCE),
    ("cut", RELEASED, told("Released", "what?"), 1, SINCE),
    ("cut", RELEASED, None, 1, SINCE),
]


@pytest.mark.parametrize(("wanted", "off", "guard", "seconds", "since"), CASES)
def test_case(wanted: str, off: Off | None, guard: SwitchStatus | None, seconds: float, since: str | None) -> None:
    assert state(at(seconds, off, guard, since)) == wanted


@pytest.mark.parametrize(
    ("off", "guard", "known"),
    [
        (engaged("halt"), told("Engaged", "halt"), True),
        (engaged("HALT"), told("Engaged", "halt"), True),
        (engaged("halt"), told("Engaged", "halt", reason="last week's"), False),
        (engaged("halt", reason="x" * 2000), told("Engaged", "halt", reason="x" * 1024), True),
        (engaged("halt"), told("Engaged", "hold"), False),
        (engaged("halt"), told("Engaged", "halt", scope="cluster"), False),
        (engaged("halt"), told("Released", "halt"), False),
        (engaged("halt"), told("Resumed", "halt"), False),
        (engaged("halt"), None, False),
        (RELEASED, told("Released", "halt"), False),
    ],
)
def test_only_what_is_told_of_this_very_stop_is_its_proof(off: Off, guard: SwitchStatus | None, known: bool) -> None:
    stop = at(0, off, guard)
    assert stop is not None
    assert stop.told == (guard if known else None)


@pytest.mark.parametrize(
    ("requested_at", "believed"), [("2026-02-02T02:01:00Z", True), ("2026-02-02T02:03:00Z", False)]
)
def test_a_guard_that_died_before_the_last_release_is_not_believed(requested_at: str, believed: bool) -> None:
    """Engaged anew as before, with nobody to tell of it: neither proven, nor is its drain over already."""
    left = {names.RELEASE_REQUESTED_AT: requested_at, names.RELEASE_APPROVED_BY: "paul"}
    halt = at(0, engaged("halt"), told("Engaged", "halt"), carrier=left)
    assert halt is not None
    assert (halt.told is not None) is believed
    drain = at(1, engaged("drain"), told("Engaged"), carrier=left)
    assert state(drain) == ("cut" if believed else "held until 30")


OFFS = st.one_of(
    st.none(),
    st.builds(Engaged, scope=st.sampled_from(Scope), mode=st.sampled_from([*Mode, "x"]), reason=st.just("")),
    st.just(RELEASED),
)
TIMES = st.sampled_from([None, SINCE, OLD, "2027-01-01T00:00:00Z", "junk", "2026-02-02T02:02:05"])
GUARDS = st.none() | st.builds(
    SwitchStatus,
    state=st.sampled_from(SwitchState),
    scope=st.sampled_from([*map(str, Scope)]),
    mode=st.sampled_from([*map(str, Mode)]),
    engaged_at=TIMES,
    traffic_cut_at=TIMES,
)


@given(GUARDS, TIMES, st.integers(-100, 100), st.sampled_from(Scope))
def test_a_stronger_mode_never_takes_less_away(
    guard: SwitchStatus | None, since: str | None, seconds: int, scope: Scope
) -> None:
    taken = [
        (stop.measures.gates, stop.measures.cut)
        for mode in Mode
        if (stop := at(seconds, engaged(mode, scope, reason=""), guard, since))
    ]
    assert taken == sorted(taken)
    assert all(gates for gates, _ in taken)


@given(OFFS, GUARDS, TIMES, st.integers(-100, 100), st.integers(0, 1000))
def test_time_gives_nothing_back(
    off: Off | None, guard: SwitchStatus | None, since: str | None, seconds: int, later: int
) -> None:
    first, second = at(seconds, off, guard, since), at(seconds + later, off, guard, since)
    assert (first is None) == (second is None) == (off is None)
    if first and second:
        assert first.measures.cut <= second.measures.cut


@given(GUARDS, GUARDS, TIMES, TIMES, st.integers(-100, 100), st.integers(0, 1000))
def test_nothing_that_is_told_later_lengthens_a_drain(
    guard: SwitchStatus | None, other: SwitchStatus | None, since: str | None, moved: str | None, now: int, later: int
) -> None:
    """Whoever engaged writes something else, and the API server's time of the annotation is that of this write."""
    first = at(now, engaged("drain", reason=""), guard, since)
    second = at(now + later, engaged("drain", reason=""), other, moved, first)
    assert first
    assert first.until
    assert second
    assert second.until
    assert second.until <= first.until


@pytest.mark.parametrize("other", [engaged("hold"), engaged("drain", Scope.CLUSTER), RELEASED])
def test_what_was_said_of_another_stop_does_not_shorten_a_drain(other: Off) -> None:
    earlier = at(-1000, engaged("drain"), since=OLD)
    assert state(at(0, engaged("drain"), before=earlier)) == "cut"
    said = at(0, other)
    assert said
    old = replace(said, until=BEGUN - timedelta(days=1))
    assert state(at(0, engaged("drain"), before=old)) == "held until 30"


@pytest.mark.parametrize(("mode", "drained"), [*itertools.product(Mode, (False, True))])
def test_what_was_released_is_taken_away_as_before(mode: Mode, drained: bool) -> None:
    """A hold stays warm. A drain that was released counts as over: nobody waits for its answers any more."""
    before, after = measures(engaged(mode), None, drained=drained), measures(RELEASED, mode, drained=drained)
    assert (before.gates, before.cut) <= (after.gates, after.cut)
    assert after.cut is (mode is not Mode.HOLD)


@pytest.mark.parametrize(
    ("off", "word"),
    [
        (engaged("halt"), "halt"),
        (engaged("what?"), "halt"),
        (engaged("hold", Scope.NAMESPACE), "hold (namespace)"),
        (engaged("drain", Scope.CLUSTER), "drain (cluster)"),
        (RELEASED, "released"),
    ],
)
def test_its_word_for_the_table(off: Off, word: str) -> None:
    stop = at(0, off)
    assert stop is not None
    assert stop.word == word


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ({"shutdown": {"graceSeconds": 5}}, 5),
        ({"shutdown": {"graceSeconds": 600}}, 600),
        ({"shutdown": {"graceSeconds": 601}}, 30),
        ({"shutdown": {"graceSeconds": 0}}, 30),
        ({"shutdown": {"graceSeconds": "5"}}, 30),
        ({"shutdown": []}, 30),
        ({}, 30),
        (None, 30),
        ("junk", 30),
    ],
)
def test_the_grace_of_any_spec(raw: Any, seconds: int) -> None:
    assert grace_seconds(raw) == seconds


# --- since when


def entry(time: str | None, *owned: str) -> dict[str, Any]:
    fields: Any = {"f:metadata": {"f:annotations": {f"f:{key}": {} for key in owned}}}
    return {"manager": "m", "fieldsV1": fields} | ({"time": time} if time else {})


KEY = "meditron.ai/kill-switch"


@pytest.mark.parametrize(
    ("entries", "when"),
    [
        ([entry("t1", KEY)], "t1"),
        ([entry("t1", KEY, "other"), entry("t2", "other")], "t1"),
        ([entry("t3", KEY), entry("t1", KEY), entry("t2", KEY)], "t1"),
        ([entry("t1", "other")], None),
        ([entry(None, KEY)], None),
        ([{"time": "t1", "fieldsV1": {"f:status": {}}}, {"time": "t2"}], None),
        ([], None),
    ],
)
def test_when_the_server_took_it_in(entries: list[dict[str, Any]], when: str | None) -> None:
    assert admitted_at({"managedFields": entries}) == when
    body = {"metadata": {"name": "ward", "uid": "u", "resourceVersion": "1", "managedFields": entries}}
    assert Live.of("MeditronDeployment", body).kill_admitted_at == when
    assert "managedFields" not in Live.of("MeditronDeployment", body).metadata


@pytest.mark.parametrize("nothing", [{}, {"managedFields": None}])
def test_nobody_says_when(nothing: dict[str, Any]) -> None:
    assert admitted_at(nothing) is None


@pytest.mark.parametrize(
    ("carriers", "when"),
    [
        ([("drain", "t2"), ("drain", "t1")], "t1"),  # the second one doesn't lengthen the first
        ([("drain", "t2"), ("hold", "t1"), (None, "t0")], "t2"),
        ([("drain", "t2"), ("drain", None)], None),
        ([("halt", "t2")], None),
        ([], None),
    ],
)
def test_of_several_drains_the_first_counts(
    carriers: Iterable[tuple[str | None, str | None]], when: str | None
) -> None:
    assert drain_since(({KEY: mode} if mode else {}, time) for mode, time in carriers) == when
