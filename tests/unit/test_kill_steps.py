"""The steps of people, before the API server is asked."""

from datetime import timedelta

import pytest

from meditron_operator import names
from meditron_operator.core.killswitch.effective import Mode
from meditron_operator.core.killswitch.steps import (
    RELEASE_WINDOW,
    Nothing,
    Refusal,
    Step,
    approve,
    engage,
    expiry,
    request,
    resume,
)
from tests.unit.killing import ENGAGED, NOON, RELEASED, REQUESTED

RESUMED = RELEASED | {names.RESUME: "rosa"}


def step(me: str = "paul", minutes: int = 1) -> Step:
    return Step(me=me, at=NOON + timedelta(minutes=minutes), what="ward/notes", target="notes -n ward")


@pytest.mark.parametrize(
    ("reason", "ticket", "more"),
    [
        (None, None, {}),
        ("why", None, {names.KILL_REASON: "why"}),
        ("why", "INC-7", {names.KILL_REASON: "why", names.KILL_TICKET: "INC-7"}),
    ],
)
def test_a_stop_never_takes_a_reason_away(reason: str | None, ticket: str | None, more: dict[str, str]) -> None:
    assert engage(Mode.DRAIN, reason, ticket) == {names.KILL_SWITCH: "drain", **more}


def test_a_request_takes_away_what_an_earlier_release_left() -> None:
    assert request(ENGAGED | RESUMED, step("rita")) == {
        names.RELEASE_REQUESTED_BY: "rita",
        names.RELEASE_REQUESTED_AT: "2026-01-31T12:01:00Z",
        names.RELEASE_APPROVED_BY: None,
        names.RESUME: None,
    }


@pytest.mark.parametrize("annotations", [{}, RELEASED, RESUMED])
def test_what_is_not_engaged_needs_no_release(annotations: dict[str, str]) -> None:
    assert isinstance(request(annotations, step()), Nothing)
    assert isinstance(approve(annotations, step()), Nothing)


def test_asking_twice_changes_nothing() -> None:
    found = request(ENGAGED | REQUESTED, step("rita"))
    assert isinstance(found, Nothing)
    assert "until 12:15:00 UTC" in found.words


def test_who_comes_second_is_told_to_approve() -> None:
    found = request(ENGAGED | REQUESTED, step("paul"))
    assert isinstance(found, Refusal)
    assert "meditron approve notes -n ward" in found.words


@pytest.mark.parametrize("me", ["rita", "paul"])
def test_an_old_request_is_asked_for_again(me: str) -> None:
    found = request(ENGAGED | REQUESTED, step(me, minutes=16))
    assert isinstance(found, dict)
    assert found[names.RELEASE_REQUESTED_BY] == me


def test_the_second_takes_it_off() -> None:
    gone = (names.KILL_SWITCH, names.KILL_REASON, names.KILL_TICKET, names.KILLED_BY)
    assert approve(ENGAGED | REQUESTED, step()) == {names.RELEASE_APPROVED_BY: "paul", **dict.fromkeys(gone)}


@pytest.mark.parametrize(
    ("annotations", "who", "words"),
    [
        (ENGAGED, step(), "nobody asked for its release"),
        (ENGAGED | RELEASED, step(), "nobody asked for its release"),  # what an earlier release left
        (ENGAGED | REQUESTED | {names.RELEASE_REQUESTED_AT: "soon"}, step(), "nobody asked for its release"),
        (ENGAGED | REQUESTED, step("rita"), "it takes two people"),
        (ENGAGED | REQUESTED, step(minutes=16), "rita asked too long ago (until 12:15:00 UTC)"),
        (ENGAGED | REQUESTED, step("system:serviceaccount:ci:bot"), "only a person"),
    ],
)
def test_no_approval_without_two_people_within_the_window(annotations: dict[str, str], who: Step, words: str) -> None:
    found = approve(annotations, who)
    assert isinstance(found, Refusal)
    assert words in found.words
    assert "\n" not in found.words


def test_resuming() -> None:
    assert resume(RELEASED, step("rosa")) == {names.RESUME: "rosa"}
    assert isinstance(resume(RESUMED, step("rosa")), Nothing)
    assert isinstance(resume({}, step("rosa")), Nothing)
    assert isinstance(resume(ENGAGED | REQUESTED, step("rosa")), Refusal)
    assert isinstance(resume(RELEASED, step("system:serviceaccount:ci:bot")), Refusal)


def test_until_when_a_request_holds() -> None:
    assert expiry(ENGAGED | REQUESTED) == NOON + RELEASE_WINDOW
    for annotations in ({}, ENGAGED, REQUESTED, ENGAGED | RELEASED):
        assert expiry(annotations) is None
