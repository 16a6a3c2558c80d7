"""Which record is due, and which stop went without a release: tables, and any life that people can lead."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meditron_operator.core.killswitch import Scope, SwitchState, effective
from meditron_operator.core.killswitch.records import Target, concerned, due, in_force, target_of, vanished
from tests.unit.records.kit import (
    APPROVED,
    ASKED_AT,
    ASKED_BY,
    BY,
    DRILLED,
    ENGAGED,
    KILL,
    NOON,
    REASON,
    RELEASED,
    RESUME,
    TICKET,
    Clerk,
    Ward,
    carrier,
    outcome,
    restored,
)

REAL = {REASON: "wrong dose"}
RESUMED = RELEASED | {RESUME: "rosa"}
AGAIN = ENGAGED | RELEASED
LATER = ENGAGED | {ASKED_BY: "rita", ASKED_AT: "2026-02-01T12:00:00Z"}
LATER_RELEASED = {ASKED_BY: "rita", ASKED_AT: "2026-02-01T12:00:00Z", APPROVED: "paul"}

# What was seen one after the other, and what each look has us write.
LIVES: list[tuple[str, list[tuple[Mapping[str, str], list[str]]]]] = [
    ("never engaged", [({}, []), ({"example.com/x": "y"}, [])]),
    ("engaged twice", [(ENGAGED, ["Engage"]), (ENGAGED, [])]),
    ("other words", [(ENGAGED, ["Engage"]), (ENGAGED | {REASON: "wrong doses"}, [])]),
    ("any value", [(ENGAGED | {KILL: "HALT!"}, ["Engage"]), (ENGAGED, [])]),
    ("stronger", [(ENGAGED | {KILL: "hold"}, ["Engage"]), (ENGAGED | {KILL: "drain"}, ["Escalate"]),
                  (ENGAGED, ["Escalate"])]),
    ("asked only", [(ENGAGED, ["Engage"]), (LATER, [])]),
    ("a whole life", [(ENGAGED, ["Engage"]), (RELEASED, ["Release"]), (RESUMED, ["Resume"]), (RESUMED, [])]),
    ("engaged again", [(ENGAGED, ["Engage"]), (RELEASED, ["Release"]), (AGAIN, ["Engage"]), (AGAIN, [])]),
    ("and released again", [(ENGAGED, ["Engage"]), (RELEASED, ["Release"]), (AGAIN, ["Engage"]), (LATER, []),
                            (LATER_RELEASED, ["Release"])]),
    ("release missed", [(ENGAGED, ["Engage"]), (AGAIN, ["Release", "Engage"]), (AGAIN, [])]),
    ("resume missed", [(ENGAGED, ["Engage"]), (ENGAGED | RESUMED, ["Release", "Resume", "Engage"])]),
    ("only resume missed", [(ENGAGED, ["Engage"]), (RELEASED, ["Release"]), (ENGAGED | RESUMED, ["Resume", "Engage"])]),
    ("seen when resumed", [(ENGAGED, ["Engage"]), (RESUMED, ["Release", "Resume"])]),
    ("a second release missed", [(ENGAGED, ["Engage"]), (RELEASED, ["Release"]), (LATER_RELEASED, ["Release"])]),
    ("another person since", [(ENGAGED, ["Engage"]), (ENGAGED | {BY: "bob"}, ["Engage"]), (ENGAGED | {BY: "bob"}, [])]),
    ("traces tidied up", [(ENGAGED, ["Engage"]), (RELEASED, ["Release"]), ({}, ["Resume"]), ({}, [])]),
    ("before us, over", [(RESUMED, []), (ENGAGED | RESUMED, ["Release", "Resume", "Engage"])]),
    ("before us, not over", [(RELEASED, ["Release"]), (RELEASED, [])]),
    ("a drill", [(DRILLED, ["Drill"]), (DRILLED, []), (RELEASED, ["Release"]), (RESUMED, ["Resume"]), (RESUMED, [])]),
    ("a drill again", [(DRILLED, ["Drill"]), (DRILLED | RESUMED, ["Release", "Resume", "Drill"])]),
    ("a drill that became real", [(DRILLED, ["Drill"]), (DRILLED | REAL, ["Escalate"]), (DRILLED, []),
                                  (RELEASED, ["Release"])]),
    ("real by somebody else", [(DRILLED, ["Drill"]), (DRILLED | REAL | {BY: "bob"}, ["Escalate"]),
                               (DRILLED | REAL | {BY: "bob"}, [])]),
    ("real without words", [(DRILLED, ["Drill"]), ({KILL: "halt", BY: "anna"}, ["Escalate"])]),
    ("a drill made stronger", [(DRILLED | {KILL: "hold"}, ["Drill"]), (DRILLED, ["Escalate"]), (DRILLED, [])]),
    ("no drill over a stop", [(ENGAGED, ["Engage"]), (DRILLED, []), (DRILLED | {BY: "bob"}, ["Engage"])]),
    ("a drill after a stop", [(ENGAGED, ["Engage"]), (RELEASED, ["Release"]), (DRILLED | RELEASED, ["Drill"])]),
    ("more words than a drill's", [(DRILLED | {REASON: "drill hit the cable"}, ["Engage"])]),
    ("half a release", [(ENGAGED, ["Engage"]), ({APPROVED: "paul"}, [])]),
]  # fmt: skip


@pytest.mark.parametrize("life", [life for _, life in LIVES], ids=[name for name, _ in LIVES])
@pytest.mark.parametrize("scope", Scope)
def test_what_each_look_writes(life: list[tuple[Mapping[str, str], list[str]]], scope: Scope) -> None:
    clerk = Clerk()
    for annotations, written in life:
        assert clerk.keep(carrier(annotations, scope=scope)) == written, annotations


def test_what_a_record_says() -> None:
    clerk = Clerk()
    for annotations in (ENGAGED, RELEASED, RESUMED):
        clerk.keep(carrier(annotations))
    engage, release, resume = (record.spec for record in clerk.records)
    assert engage.items() >= {
        "sequence": 1, "namespace": "clinical-ai", "action": "Engage", "scope": "deployment", "target": "ward",
        "targetUID": "u-1", "mode": "halt", "actor": "anna",
        "reason": "wrong dose", "ticket": "T-1", "admittedAt": "2026-01-31T12:00:00Z", "previousHash": "",
    }.items()  # fmt: skip
    asked = {"requestedBy": "rita", "requestedAt": "2026-01-31T12:00:00Z"}
    assert release.items() >= {"actor": "paul", "mode": "halt", "previousHash": engage["hash"], **asked}.items()
    assert resume.items() >= {"actor": "rosa", "previousHash": release["hash"]}.items()
    assert resume["outcomes"] == [{"sequence": 2, "hash": clerk.records[1].outcome}]


def test_what_is_not_known_is_left_out() -> None:
    """A server before 1.36 stamps no name; nobody named a ticket."""
    clerk = Clerk()
    for annotations in ({KILL: "hold"}, RELEASED, RESUMED):
        clerk.keep(carrier(annotations))
    engage, release, resume = (record.spec for record in clerk.records)
    assert engage.keys().isdisjoint({"actor", "reason", "ticket", "requestedBy", "requestedAt", "outcomes"})
    assert [part["mode"] for part in (engage, release, resume)] == ["hold"] * 3
    assert [part["admittedAt"] for part in (engage, release, resume)] == [NOON] * 3
    assert clerk.keep(carrier(AGAIN | {KILL: "hold"})) == ["Engage"]


def test_what_comes_back_without_words_had_none() -> None:
    clerk = Clerk()
    clerk.keep(carrier({KILL: "drain"}))
    reason = "engaged again: kill-000001 was never released"
    assert vanished(carrier({}), clerk.records) == {KILL: "drain", REASON: reason}
    clerk.keep(restored(carrier({}), clerk))
    back = vanished(carrier({}), clerk.records)
    assert back is not None
    assert back[REASON] == "engaged again: kill-000002 was never released"


def test_words_of_a_person_that_sound_like_ours_are_kept() -> None:
    clerk, why = Clerk(), "as it was never released (said the ward)"
    clerk.keep(carrier(ENGAGED | {REASON: why}))
    clerk.keep(restored(carrier({}), clerk))
    back = vanished(carrier({}), clerk.records)
    assert back is not None
    assert back[REASON] == f"engaged again: kill-000002 was never released ({why})"


def test_whom_a_record_is_about() -> None:
    clerk = Clerk()
    clerk.keep(carrier(ENGAGED, name="a"))
    clerk.keep(carrier(ENGAGED, scope=Scope.NAMESPACE, namespace="", name="clinical-ai"))
    assert [target_of(record) for record in clerk.records] == [
        Target(scope=Scope.DEPLOYMENT, namespace="clinical-ai", name="a"),
        Target(scope=Scope.NAMESPACE, namespace="clinical-ai", name="clinical-ai"),
    ]


@pytest.mark.parametrize("state", SwitchState)
def test_which_record_an_outcome_is_of(state: SwitchState) -> None:
    """Of a stop until it is released; of a release or a resume when that is the last."""
    wanted = {
        SwitchState.ENGAGED: ["kill-000001", None, None],
        SwitchState.ENGAGED_UNVERIFIED: ["kill-000001", None, None],
        SwitchState.RELEASED: [None, "kill-000002", None],
        SwitchState.RESUMED: [None, None, "kill-000003"],
    }
    clerk, found = Clerk(), []
    assert concerned(carrier({}), state, []) is None
    for annotations in (ENGAGED, RELEASED, RESUMED):
        here = carrier(annotations)
        clerk.keep(here)
        record = concerned(here, state, clerk.records)
        found.append(record and record.name)
        assert concerned(carrier(annotations, uid="u-2"), state, clerk.records) is None
    assert found == wanted.get(state, [None] * 3)


def test_what_an_outcome_says() -> None:
    clerk, here = Clerk(), carrier(ENGAGED)
    clerk.keep(here)
    times: dict[str, Any] = {"traffic_cut_at": "1", "last_pod_gone_at": "2", "verified_at": "3"}
    clerk.conclude(here, outcome(seconds_to_stop=2.00049, unconfirmed_pods=("ward-0 on n1",), **times))
    told = {"trafficCutAt": "1", "lastPodGoneAt": "2", "verifiedAt": "3", "secondsToStop": 2.0, "deployments": 1}
    status = clerk.records[0].status
    assert {**status, "hash": ""} == {"state": "Engaged", **told, "unconfirmedPods": ["ward-0 on n1"], "hash": ""}


def test_what_was_missed_has_no_date_of_something_later() -> None:
    clerk = Clerk()
    clerk.keep(carrier(ENGAGED))
    clerk.keep(carrier(ENGAGED | RESUMED))
    assert ["admittedAt" in record.spec for record in clerk.records] == [True, False, False, True]


@pytest.mark.parametrize("key", [KILL, REASON, TICKET, BY, ASKED_BY, ASKED_AT, APPROVED, RESUME])
def test_words_of_any_length_are_written_once(key: str) -> None:
    clerk, long = Clerk(), {key: "ü" * 5000}
    for annotations in (ENGAGED, RELEASED, RESUMED, ENGAGED | RESUMED):
        clerk.keep(carrier({**annotations, **(long if key in annotations else {})}))
    assert [record.action for record in clerk.records] == ["Engage", "Release", "Resume", "Engage"]
    assert max(len(str(value)) for record in clerk.records for value in record.spec.values()) <= 1024


def test_others_are_others() -> None:
    clerk = Clerk()
    for scope, name in ((Scope.DEPLOYMENT, "ward"), (Scope.DEPLOYMENT, "other"), (Scope.NAMESPACE, "ward")):
        assert clerk.keep(carrier(ENGAGED, scope=scope, name=name)) == ["Engage"]
    assert [record.sequence for record in clerk.records] == [1, 2, 3]


@pytest.mark.parametrize(
    ("now", "back"),
    [
        ({}, "halt"),
        ({APPROVED: "paul"}, "halt"),
        ({ASKED_BY: "rita"}, "halt"),
        (ENGAGED | {KILL: "hold"}, "halt"),
        (ENGAGED, None),
        (RELEASED, None),
        (RESUMED, None),
    ],
)
@pytest.mark.parametrize("uid", ["u-1", "u-2"])
def test_a_stop_that_nobody_released_comes_back(now: Mapping[str, str], back: str | None, uid: str) -> None:
    clerk = Clerk()
    clerk.keep(carrier(ENGAGED))
    found = vanished(carrier(now, uid=uid), clerk.records)
    said = {KILL: back, REASON: "engaged again: kill-000001 was never released (wrong dose)", TICKET: "T-1"}
    assert found == (said if back else None)


def test_a_release_from_before_the_last_stop_releases_nothing() -> None:
    clerk = Clerk()
    for annotations in (ENGAGED, RELEASED, AGAIN):
        clerk.keep(carrier(annotations, admitted_at="2026-01-31T12:00:05Z"))
    assert vanished(carrier(RELEASED), clerk.records) is not None
    assert vanished(carrier(LATER_RELEASED), clerk.records) is None


@pytest.mark.parametrize("then", [[(RELEASED, ["Release"]), (RESUMED, ["Resume"])], [(RESUMED, ["Release", "Resume"])]])
def test_two_releases_within_one_second(then: list[tuple[Mapping[str, str], list[str]]]) -> None:
    """By the same two people: all that the annotations say is equal."""
    clerk = Clerk()
    for annotations in (ENGAGED, RELEASED, RESUMED, ENGAGED | RESUMED):
        clerk.keep(carrier(annotations))
    for released, written in then:
        assert vanished(carrier(released), clerk.records) is None
        assert clerk.keep(carrier(released)) == written
        assert clerk.keep(carrier(released)) == []


@pytest.mark.parametrize("uid", ["u-1", "u-2"])
def test_what_was_put_back_is_a_record_and_keeps_the_persons_words(uid: str) -> None:
    clerk = Clerk()
    clerk.keep(carrier(ENGAGED))
    for times in (1, 2):
        back = restored(carrier({}, uid=uid), clerk)
        assert clerk.keep(back) == ["Engage"]
        assert clerk.keep(back) == []
        assert clerk.records[-1].text("targetUID") == uid
        assert clerk.records[-1].text("reason") == f"engaged again: kill-00000{times} was never released (wrong dose)"


@pytest.mark.guarantee("G5", "G13")
@pytest.mark.parametrize("uid", ["u-1", "u-2"])
def test_a_drill_is_latched_like_any_stop(uid: str) -> None:
    """What vanished without a release is no drill any more, whoever took it away."""
    clerk = Clerk()
    clerk.keep(carrier(DRILLED))
    back = restored(carrier({}, uid=uid), clerk)
    assert back.annotations[REASON] == "engaged again: kill-000001 was never released (drill)"
    assert clerk.keep(back) == ["Engage"]
    assert clerk.keep(back) == []


def test_a_drill_has_an_outcome() -> None:
    clerk, here = Clerk(), carrier(DRILLED)
    clerk.keep(here)
    clerk.conclude(here, outcome(seconds_to_stop=2.0))
    (record,) = clerk.records
    assert (record.text("actor"), record.status["state"]) == ("anna", "Engaged")


def test_a_namesake_of_what_was_stopped_is_no_drill() -> None:
    clerk = Clerk()
    clerk.keep(carrier(ENGAGED))
    assert clerk.keep(carrier(DRILLED, uid="u-2")) == ["Engage"]


def test_when_a_drill_became_real_is_not_the_drills_date() -> None:
    clerk = Clerk()
    clerk.keep(carrier(DRILLED))
    clerk.keep(carrier(DRILLED | REAL))
    assert ["admittedAt" in record.spec for record in clerk.records] == [True, False]


def test_a_namesake_that_is_engaged_is_a_stop_of_its_own() -> None:
    clerk = Clerk()
    clerk.keep(carrier(ENGAGED))
    assert clerk.keep(carrier(ENGAGED, uid="u-2")) == ["Engage"]
    weaker = carrier(ENGAGED | {KILL: "hold"}, uid="u-3")
    assert clerk.keep(weaker) == []
    assert clerk.keep(restored(weaker, clerk)) == ["Engage"]
    assert clerk.records[-1].mode == "halt"


def test_the_stop_in_force() -> None:
    clerk, told = Clerk(), []
    for annotations in ({}, ENGAGED | {KILL: "hold"}, ENGAGED, RELEASED, RESUMED, ENGAGED | RESUMED):
        clerk.keep(carrier(annotations))
        stop = in_force(carrier(annotations), clerk.records)
        told.append(stop and stop.name)
    assert told == [None, "kill-000001", "kill-000002", "kill-000002", None, "kill-000005"]


def test_an_outcome_goes_to_the_record_that_it_is_of() -> None:
    clerk, first = Clerk(), carrier(ENGAGED)
    clerk.keep(first)
    clerk.conclude(first, outcome(SwitchState.ENGAGED_UNVERIFIED, unconfirmed_pods=("ward-0 on n1",)))
    assert (clerk.records[0].status["state"], clerk.records[0].outcome) == ("EngagedUnverified", None)
    clerk.conclude(first, outcome())
    sealed = clerk.records[0]
    assert sealed.outcome is not None
    clerk.conclude(first, outcome(seconds_to_stop=99.0))
    clerk.conclude(carrier(ENGAGED, uid="u-2"), outcome(seconds_to_stop=99.0))
    clerk.conclude(first, outcome(SwitchState.ENGAGING))
    assert clerk.records == [sealed]
    clerk.keep(carrier(RELEASED))
    clerk.conclude(carrier(RELEASED), outcome(seconds_to_stop=99.0))
    assert [record.status["state"] for record in clerk.records] == ["Engaged", "Released"]
    assert clerk.records[0] == sealed


def test_two_guards_that_looked_at_different_times_agree() -> None:
    """As long as nothing is proven, only news is written; the proof has its own times."""
    clerk, here = Clerk(), carrier(ENGAGED)
    clerk.keep(here)
    clerk.conclude(here, outcome(SwitchState.ENGAGED_UNVERIFIED, seconds_to_stop=2.0))
    first = clerk.records[0].status
    clerk.conclude(here, outcome(SwitchState.ENGAGED_UNVERIFIED, seconds_to_stop=2.5))
    assert clerk.records[0].status == first
    clerk.conclude(here, outcome(SwitchState.ENGAGED_UNVERIFIED, seconds_to_stop=2.5, deployments=2))
    assert clerk.records[0].status == {**first, "deployments": 2}
    clerk.conclude(here, outcome(seconds_to_stop=30.0))
    assert clerk.records[0].status["secondsToStop"] == 30.0


def test_more_pods_than_a_record_holds() -> None:
    clerk = Clerk()
    clerk.keep(carrier(ENGAGED))
    pods = tuple(f"ward-{number}" for number in range(500))
    clerk.conclude(carrier(ENGAGED), outcome(SwitchState.ENGAGED_UNVERIFIED, unconfirmed_pods=pods))
    assert len(clerk.records[0].status["unconfirmedPods"]) == 128
    assert clerk.records[0].status["unconfirmedPods"][-1] == "and 373 more"


STEPS = st.sampled_from(["hold", "drain", "halt", "release", "resume", "tidy", "look"])


@settings(max_examples=1000)
@given(st.lists(STEPS, max_size=40))
def test_any_life_is_written_down_and_nothing_is_put_back(steps: list[str]) -> None:
    """Whatever people do under the policies, and however seldom we look: the records end where the carrier is.

    But for who takes the traces of a release away before we looked: that can't be told from a stop that vanished.
    """
    ward, clerk = Ward(), Clerk()
    for step in [*steps, "look"]:
        if step in ("look", "tidy"):
            look(ward, clerk)
        if step != "look":
            ward.do(step)


def look(ward: Ward, clerk: Clerk) -> None:
    here = ward.carrier()
    clerk.keep(here)
    assert due(here, clerk.records) is None
    off = effective({Scope.DEPLOYMENT: here.annotations})
    stop = in_force(here, clerk.records)
    last = clerk.records[-1] if clerk.records else None
    if KILL in here.annotations:
        assert stop is not None
        assert (stop, stop.mode) == (last, here.annotations[KILL])
    elif off is not None:
        assert last is not None
        assert last.action == "Release"
    assert vanished(replace(here, uid="u-1"), clerk.records) is None


def test_a_life_with_every_look_has_a_record_for_every_step() -> None:
    """Also within one second: what tells them apart is their number."""
    ward, clerk = Ward(), Clerk()
    for _ in range(3):
        for step in ("hold", "halt", "release", "resume"):
            ward.do(step)
            assert len(clerk.keep(ward.carrier())) == 1
    assert [record.sequence for record in clerk.records] == list(range(1, 13))
    assert len({record.hash for record in clerk.records}) == 12
