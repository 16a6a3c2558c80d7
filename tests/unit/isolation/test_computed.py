"""The policies that the operator renders let through what the table says, as Cyclonus computes it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.isolation.cyclonus import can_say, let_through
from tests.isolation.people import ENGINES, PODS, Who
from tests.isolation.scene import children, of_kind, policies
from tests.isolation.table import OUTWARD, TABLE, Cell, State, passes
from tests.testbed.programs import find

SAID = [cell for cell in TABLE if can_say(cell)]


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Cell, bool]:
    answers: dict[Cell, bool] = {}
    program = find("cyclonus", print)
    for state in State:
        cells = [cell for cell in SAID if cell.state is state]
        found = let_through(program, policies(state), cells, tmp_path_factory.mktemp("cyclonus"))
        answers |= dict(zip(cells, found, strict=True))
    return answers


@pytest.mark.parametrize("state", State)
def test_policies_let_through_what_is_expected(computed: Mapping[Cell, bool], state: State) -> None:
    answers = {cell: answer for cell, answer in computed.items() if cell.state is state}
    assert len(answers) > 100
    assert not [f"{cell}: {answer}" for cell, answer in answers.items() if answer is not passes(cell)]


def test_an_open_door_is_seen(tmp_path: Path) -> None:
    """Without its deny a stopped engine is open to all, which the answers must say."""
    closed = [each for each in policies(State.STOPPING) if each["metadata"]["name"] == "triage-deny"]
    cells = [cell for cell in SAID if cell.state is State.STOPPING and cell.to_first and cell.who not in ENGINES]
    assert all(let_through(find("cyclonus", print), closed, cells, tmp_path))


def test_the_table_is_as_large_as_was_promised() -> None:
    assert len(set(TABLE)) == len(TABLE)
    assert len(TABLE) >= len(SAID) >= 200
    assert {cell.who for cell in SAID} == set(PODS)


def test_engines_are_rendered_with_the_labels_that_the_table_knows_them_by() -> None:
    for who, deployment in ((Who.FIRST_ENGINE, "assistant"), (Who.SECOND_ENGINE, "triage")):
        (statefulset,) = of_kind("StatefulSet", children(deployment))
        assert statefulset["spec"]["template"]["metadata"]["labels"] == PODS[who].labels


def test_nothing_gets_out_of_an_engine_in_any_state(computed: Mapping[Cell, bool]) -> None:
    out = [answer for cell, answer in computed.items() if cell.who in ENGINES and cell.where in OUTWARD]
    assert out
    assert not any(out)
