"""Predicted against measured: what the status says, and when it says nothing."""

from dataclasses import replace
from typing import Any

import pytest

from meditron_operator.core.live import Live
from meditron_operator.core.measured import Reading, difference_percent, running, stored_readings
from meditron_operator.core.observed import Pod
from meditron_operator.core.status import condition_changes, event, summarize
from meditron_operator.core.status.view import View
from tests.unit.kit import accepted, case, pod
from tests.unit.seen import INVALID, NOW, READY, Seen

PREDICTED = accepted().sized.plan.kv_capacity_tokens  # 116,000
ONE = pod("ward-1")


def reading(tokens: int | None, of: Pod = READY, restarts: int = 0) -> Reading:
    return Reading(pod=of.ref.name, uid=of.uid, restarts=restarts, kv_capacity_tokens=tokens)


def view(*measurements: Reading, pods: tuple[Pod, ...] = (READY,), spec: Any = None, **workload: Any) -> View:
    seen = Seen(pods=pods, spec=spec if spec is not None else {"replicas": len(pods)}, workload=workload)
    return replace(seen.view, measurements=measurements)


def verified(status: dict[str, Any]) -> tuple[str, str, str]:
    (found,) = (item for item in status["conditions"] if item["type"] == "PlanVerified")
    return found["status"], found["reason"], found["message"]


def told(found: View, previous: dict[str, Any] | None = None) -> tuple[str, str, str]:
    return verified(summarize(found, previous or {}, NOW))


ROWS = [
    ("nothing", view(), "Unknown NotMeasured", "no replica has been measured yet"),
    ("no figure", view(reading(None)), "Unknown NotMeasured", "the first lines of the engine's log have no figure"),
    ("near", view(reading(116_700)), "True Measured", "measured 116,700 tokens, predicted 116,000: +0.6 %"),
    ("equal", view(reading(116_000)), "True Measured", "+0.0 %"),
    ("20 % less", view(reading(92_800)), "True Measured", "-20.0 %"),
    ("20 % more", view(reading(139_200)), "True Measured", "+20.0 %"),
    ("far less", view(reading(92_000)), "False PredictionOff", "-20.7 %; requests may have to wait: lower concurrency"),
    ("far more", view(reading(150_000)), "False PredictionOff", "+29.3 %; there is room for more concurrency"),
    ("the least", view(reading(150_000), reading(116_000, ONE), pods=(READY, ONE)), "True Measured",
     "measured 116,000 tokens (the least of 2 replicas)"),
    ("one of two", view(reading(None), reading(116_000, ONE), pods=(READY, ONE)), "True Measured", "116,000 tokens, "),
    ("of an earlier start", view(reading(1, restarts=7)), "Unknown NotMeasured", "no replica"),
    ("of a pod that is gone", view(reading(1, ONE)), "Unknown NotMeasured", "no replica"),
    ("not accepted", view(reading(116_000), spec=INVALID), "Unknown NotAccepted", "not accepted"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "verdict", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_condition(found: View, verdict: str, words: str) -> None:
    status, reason, message = told(found)
    assert f"{status} {reason}" == verdict
    assert words in message


def test_what_was_measured_is_told_and_comes_back() -> None:
    found = view(reading(116_700), reading(None, ONE), pods=(READY, ONE))
    status = summarize(found, {}, NOW)
    assert status["measured"] == {
        "kvCapacityTokens": 116_700,
        "differencePercent": 0.6,
        "replicas": [
            {"pod": "ward-0", "uid": "uid-of-ward-0", "restarts": 0, "kvCapacityTokens": 116_700},
            {"pod": "ward-1", "uid": "uid-of-ward-1", "restarts": 0},
        ],
    }
    assert stored_readings(status) == (reading(116_700), reading(None, ONE))
    again = replace(found, measurements=stored_readings(status))
    assert summarize(again, status, "later") == status


def test_nothing_measured_is_nothing_told() -> None:
    assert "measured" not in summarize(view(), {}, NOW)
    assert summarize(view(reading(None)), {}, NOW)["measured"] == {
        "replicas": [{"pod": "ward-0", "uid": "uid-of-ward-0", "restarts": 0}]
    }


def test_an_event_warns_once() -> None:
    good = summarize(view(reading(116_000)), {}, NOW)
    off = summarize(view(reading(50_000)), good, NOW)
    (change,) = condition_changes(good, off)
    assert (change["reason"], event(case(), change, "7", NOW)["type"]) == ("PredictionOff", "Warning")
    still = summarize(view(reading(50_100)), off, NOW)
    assert list(condition_changes(off, still)) == []
    (back,) = condition_changes(off, good)
    assert event(case(), back, "8", NOW)["type"] == "Normal"
    assert "PlanVerified" not in [change["type"] for change in condition_changes({}, summarize(view(), {}, NOW))]


def revised(of: Pod, revision: str) -> Pod:
    return replace(of, labels={**of.labels, "controller-revision-hash": revision})


def test_a_pod_of_an_older_template_is_not_held_against_the_plan() -> None:
    old, new = revised(READY, "ward-old"), revised(ONE, "ward-new")
    both = (reading(50_000, old), reading(116_000, new))
    assert told(view(both[0], pods=(old,), updateRevision="ward-new"))[1] == "NotMeasured"
    found = view(*both, pods=(old, new), updateRevision="ward-new")
    assert told(found)[1] == "Measured"
    assert [each["pod"] for each in summarize(found, {}, NOW)["measured"]["replicas"]] == ["ward-0", "ward-1"]


def test_between_two_templates_the_last_statement_stands() -> None:
    """The plan is new, the pods are old, and the controller has not said so: nobody can tell how they compare."""
    before = summarize(view(reading(116_000)), {}, NOW)
    between = view(reading(116_000), spec={"model.contextTokens": 1024}, observedGeneration=0)
    after = summarize(between, before, NOW)
    assert verified(after) == verified(before)
    assert after["measured"] == before["measured"]
    assert told(view(observedGeneration=0))[1] == "NotMeasured"


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"measured": None},
        {"measured": []},
        {"measured": {"replicas": {}}},
        {"measured": {"replicas": [None, 7, {}, {"pod": "x"}, {"pod": "x", "uid": 7, "restarts": 0}]}},
        {"measured": {"replicas": [{"pod": "x", "uid": "u", "restarts": 0, "kvCapacityTokens": "many"}]}},
    ],
)
def test_what_is_no_reading_is_read_again(stored: dict[str, Any]) -> None:
    assert stored_readings(stored) == ()


def test_a_later_reading_wins() -> None:
    assert running([reading(1), reading(2)], [READY]) == (reading(2),)


def test_the_difference_has_one_digit() -> None:
    assert [difference_percent(*pair) for pair in ((8_100, 8_050), (1, 3), (3, 3))] == [0.6, -66.7, 0.0]


def test_a_workload_of_which_nothing_is_known_yet() -> None:
    bare = replace(view(reading(116_000)), cluster=replace(view().cluster, children=()))
    assert isinstance(bare.workload, Live | None)
    assert told(bare)[1] == "NotMeasured"
