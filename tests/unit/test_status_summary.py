"""The status as a whole: phase, times, numbers, and what makes an Event."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.status import condition_changes, event, summarize
from meditron_operator.core.status.condition import Type
from tests.unit.kit import HALT, case, pod
from tests.unit.seen import FOREIGN, ILL, INVALID, LOADING, NOW, READY, WAITING, Seen, ended

LATER = "2026-03-03T03:03:03Z"
CRASHED = ended("CrashLoopBackOff", exitCode=1)

PHASES: list[tuple[str, str, Seen]] = [
    # phase, reason, what was seen: from the strongest to the weakest, each row with all weaker ones in it
    ("Stopped", "EngagedUnverified", Seen(off=HALT, spec=INVALID, foreign=(FOREIGN,))),
    ("Stopping", "Engaging", Seen(off=HALT, spec=INVALID, foreign=(FOREIGN,), pods=(CRASHED,))),
    ("Invalid", "InvalidSpec", Seen(spec=INVALID, foreign=(FOREIGN,), pods=(CRASHED,))),
    ("Degraded", "NotOurs", Seen(foreign=(FOREIGN,), failures=("x",), pods=(CRASHED,))),
    ("Degraded", "WriteRefused", Seen(failures=("quota",), pods=(CRASHED,))),
    ("Degraded", "CrashLoop", Seen(pods=(CRASHED,))),
    ("Degraded", "Unhealthy", Seen(pods=(ILL,))),
    ("Pending", "PodsMissing", Seen()),
    ("Pending", "Unschedulable", Seen(pods=(WAITING,))),
    ("WaitingForGPU", "NoSuchNode", Seen(pods=(WAITING,), nodes=())),
    ("Idle", "ScaledToZero", Seen(spec={"replicas": 0})),
    ("Loading", "Loading", Seen(pods=(LOADING,))),
    ("RollingOut", "RollingOut", Seen(pods=(READY,), workload={"updatedReplicas": 0})),
    ("Ready", "Serving", Seen(pods=(READY,))),
]


@pytest.mark.parametrize(("phase", "reason", "seen"), PHASES, ids=[f"{row[0]}-{row[1]}" for row in PHASES])
def test_phase_is_the_strongest_statement(phase: str, reason: str, seen: Seen) -> None:
    status = summarize(seen.view, {}, NOW)
    assert (status["phase"], status["reason"]) == (phase, reason)


@pytest.mark.parametrize("seen", [row[-1] for row in PHASES])
def test_equal_views_give_equal_statuses_whatever_the_time(seen: Seen) -> None:
    first = summarize(seen.view, {}, NOW)
    assert summarize(seen.view, first, LATER) == first
    assert not list(condition_changes(first, summarize(seen.view, first, LATER)))


def test_a_transition_time_changes_with_the_status_only() -> None:
    waiting = summarize(Seen(pods=(WAITING,)).view, {}, "t0")
    crashed = summarize(Seen(pods=(CRASHED,)).view, waiting, "t1")
    serving = summarize(Seen(pods=(READY,)).view, crashed, "t2")
    times = [
        next(item["lastTransitionTime"] for item in status["conditions"] if item["type"] == "Available")
        for status in (waiting, crashed, serving)
    ]
    assert times == ["t0", "t0", "t2"]


def test_numbers() -> None:
    deleting = pod("ward-2", metadata={"deletionTimestamp": "t"})
    status = summarize(
        Seen(spec={"replicas": 3}, pods=(READY, pod("ward-1", status={"conditions": []}), deleting)).view, {}, NOW
    )
    assert (status["replicas"], status["readyReplicas"], status["desiredReplicas"]) == (3, 1, 3)
    assert status["ready"] == "1/3"
    assert status["selector"] == "meditron.ai/deployment=ward"
    assert status["endpoint"] == "http://ward.clinical-ai.svc:8080"
    assert status["observedGeneration"] == 3


def test_the_plan_is_told_with_every_byte() -> None:
    plan = summarize(Seen().view, {}, NOW)["plan"]
    assert plan["summary"] == "1xA100-80GB"
    parts = plan["bytesPerGPU"]
    assert sum(size for name, size in parts.items() if name != "total") == parts["total"]
    assert "plan" not in summarize(Seen(spec=INVALID).view, {}, NOW)


def test_while_stopped_nothing_is_wanted() -> None:
    status = summarize(Seen(off=HALT, spec={"replicas": 3}).view, {}, NOW)
    assert (status["desiredReplicas"], status["ready"]) == (0, "0/0")


def test_an_invalid_spec_wants_what_runs() -> None:
    assert summarize(Seen(spec=INVALID, pods=(READY,)).view, {}, NOW)["ready"] == "1/1"


def test_a_refused_edit_keeps_the_address_and_the_plan_of_what_runs() -> None:
    before = summarize(Seen(pods=(READY,)).view, {}, NOW)
    after = summarize(Seen(spec=INVALID, pods=(READY,)).view, before, NOW)
    assert after["phase"] == "Invalid"
    assert all(after[field] == before[field] for field in ("endpoint", "plan", "engine"))
    assert "plan" not in summarize(Seen(spec=INVALID, there=False).view, before, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | st.sampled_from(["Accepted", "True"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
CONDITION = st.fixed_dictionaries(dict.fromkeys(("type", "status", "reason", "lastTransitionTime"), JSON))


@given(st.fixed_dictionaries({}, optional={"conditions": JSON | st.lists(CONDITION | JSON, max_size=3), "phase": JSON}))
def test_any_stored_status_can_be_followed(previous: dict[str, Any]) -> None:
    """It may be from another release, or a person's own work with --subresource=status."""
    status = summarize(Seen(pods=(READY,)).view, previous, NOW)
    assert [item["type"] for item in status["conditions"]] == [str(type_) for type_ in Type]
    for change in condition_changes(previous, status):
        assert event(case(), change, "7", NOW)["metadata"]["name"].startswith("ward.")


# --- Events


def told(before: Seen | None, after: Seen) -> list[dict[str, Any]]:
    previous = summarize(before.view, {}, "t0") if before else {}
    status = summarize(after.view, previous, "t1")
    return [event(case(), change, "7", "t1") for change in condition_changes(previous, status)]


def test_a_transition_is_told_once() -> None:
    (crash,) = told(Seen(pods=(LOADING,)), Seen(pods=(CRASHED,)))
    assert (crash["reason"], crash["type"]) == ("CrashLoop", "Warning")
    assert crash["message"].startswith("Available=False: ward-0: Error")
    assert crash["involvedObject"]["uid"] == "owner-uid"
    assert not told(Seen(pods=(CRASHED,)), Seen(pods=(CRASHED,)))


def test_other_words_alone_are_no_event() -> None:
    assert not told(Seen(pods=(READY,)), Seen(pods=(pod(node="node-2"),)))


def test_the_first_status_tells_only_news() -> None:
    assert [found["reason"] for found in told(None, Seen())] == ["Valid"]
    assert [found["reason"] for found in told(None, Seen(spec=INVALID, there=False))] == ["InvalidSpec"]


def test_a_name_tells_the_transition_so_that_it_is_posted_once() -> None:
    before, after = Seen(pods=(LOADING,)), Seen(pods=(CRASHED,))
    assert told(before, after)[0]["metadata"]["name"] == told(before, after)[0]["metadata"]["name"]
    seen = [row[-1] for row in PHASES]
    every = {
        (found["reason"], found["message"].split(":")[0], one): found["metadata"]["name"]
        for (one, first), second in itertools.product(enumerate(seen), seen)
        for found in told(first, second)
    }
    assert all(len(name) <= 253 for name in every.values())
    assert all(name.startswith("ward.") for name in every.values())


def test_a_transition_that_comes_back_later_has_another_name() -> None:
    """Serving, crashed, serving, crashed: the second crash is news again."""
    serving, crashed = Seen(pods=(READY,)), Seen(pods=(CRASHED,))
    first = summarize(serving.view, {}, "t0")
    second = summarize(crashed.view, first, "t1")
    third = summarize(serving.view, second, "t2")
    fourth = summarize(crashed.view, third, "t3")

    def name(previous: dict[str, Any], status: dict[str, Any], version: str) -> str:
        change = next(item for item in condition_changes(previous, status) if item["type"] == "Available")
        return str(event(case(), change, version, "t")["metadata"]["name"])

    assert name(first, second, "7") != name(third, fourth, "9")


def test_messages_of_events_are_bounded() -> None:
    change = {"type": "Accepted", "status": "False", "reason": "DoesNotFit", "message": "x" * 9999}
    assert len(event(case(), change, "7", NOW)["message"]) == 1024
