"""Any value stops: a typo must not look like a stop and be none. The strictest of three scopes counts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.killswitch import Annotations, Engaged, Off, Released, Scope, effective

SWITCH, WHY = "meditron.ai/kill-switch", "meditron.ai/kill-reason"
REQUESTED, APPROVED, RESUME = (
    f"meditron.ai/{key}" for key in ("release-requested-by", "release-approved-by", "resume")
)
RELEASED = {REQUESTED: "rita", APPROVED: "paul"}


def alone(annotations: Annotations) -> Off | None:
    return effective({Scope.DEPLOYMENT: annotations})


@pytest.mark.parametrize(
    "value", ["halt", "hold", "drain", "", "True ", "no", "false", "off", "0", "release", " ", "HALT"]
)
@pytest.mark.parametrize("scope", Scope)
@pytest.mark.guarantee("K5")
def test_every_value_engages_at_every_scope(scope: Scope, value: str) -> None:
    assert effective({scope: {SWITCH: value}}) == Engaged(scope=scope, mode=value or "halt", reason="")


@given(st.text(), st.text())
def test_every_text_engages(value: str, reason: str) -> None:
    found = alone({SWITCH: value, WHY: reason})
    assert isinstance(found, Engaged)
    assert found.mode
    assert found.reason == reason


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {WHY: "a reason alone stops nothing"},
        {"meditron.ai/kill-switch-old": "halt"},
        {REQUESTED: "rita"},
        {RESUME: "rosa"},
        {**RELEASED, RESUME: "rosa"},
        {**RELEASED, RESUME: ""},
    ],
)
def test_these_let_it_run(annotations: Annotations) -> None:
    assert effective(dict.fromkeys(Scope, annotations)) is None
    assert effective({}) is None


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.guarantee("G6")
def test_a_release_alone_restarts_nothing(scope: Scope) -> None:
    found = effective({scope: RELEASED})
    assert found == Released(scope=scope, requested_by="rita", approved_by="paul")
    assert "requested by rita, approved by paul" in str(found)
    assert effective({scope: {APPROVED: ""}}) == Released(scope=scope, requested_by="", approved_by="")


def test_engaged_again_counts_whatever_is_left_of_the_last_release() -> None:
    assert isinstance(alone({**RELEASED, RESUME: "rosa", SWITCH: "hold"}), Engaged)


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    list(itertools.pairwise([{}, RELEASED, {SWITCH: "hold"}, {SWITCH: "drain"}, {SWITCH: "halt"}])),
)
@pytest.mark.parametrize("scopes", list(itertools.permutations(Scope, 2)))
@pytest.mark.guarantee("G8")
def test_the_strictest_scope_counts(weaker: Annotations, stronger: Annotations, scopes: tuple[Scope, Scope]) -> None:
    here, there = scopes
    assert effective({here: weaker, there: stronger}) == effective({there: stronger})


def test_an_unknown_word_is_as_strict_as_halt() -> None:
    found = effective({Scope.DEPLOYMENT: {SWITCH: "drain"}, Scope.CLUSTER: {SWITCH: "stop!"}})
    assert found == Engaged(scope=Scope.CLUSTER, mode="stop!", reason="")


def test_of_equals_the_narrower_is_told() -> None:
    found = effective({scope: {SWITCH: "halt", WHY: "wrong dose"} for scope in Scope})
    assert found == Engaged(scope=Scope.DEPLOYMENT, mode="halt", reason="wrong dose")


@pytest.mark.parametrize(
    ("scope", "reason", "words"),
    [
        (Scope.DEPLOYMENT, "", "halt"),
        (Scope.DEPLOYMENT, "wrong dose", "halt: wrong dose"),
        (Scope.NAMESPACE, "wrong dose", "whole namespace, halt: wrong dose"),
        (Scope.CLUSTER, "", "whole cluster, halt"),
    ],
)
def test_its_words_for_the_status(scope: Scope, reason: str, words: str) -> None:
    assert str(Engaged(scope=scope, mode="halt", reason=reason)) == words
