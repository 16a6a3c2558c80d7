"""Every cell of the expected table, tried on the node with Cilium, and what shows that kubelet is let through."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.cluster.support import Admin, Manifest, condition
from tests.isolation.people import CLINIC, ENGINES, Who
from tests.isolation.table import CONTROL, OUTWARD, SERVING, TABLE, Cell, Outcome, State, Where, expected
from tests.node.isolation.probing import Addresses, Probing
from tests.node.isolation.stage import end, finish_loading, pod_name, stage, stop
from tests.node.timings import measured
from tests.testbed import Testbed
from tests.testbed.errors import TestbedError
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.node

SETTLE_SECONDS = 30.0

SIGNS: Mapping[State, tuple[tuple[Who, Where, int | None], ...]] = {
    State.LOADING: (
        (Who.NODE, Where.POD, CONTROL),
        (Who.SECONDS_CLIENT, Where.SECOND_SERVICE, SERVING),  # by Cilium's agent,
        (Who.NODE, Where.SECOND_SERVICE, SERVING),  # and by kube-proxy
        *((Who.BESIDE, where, None) for where in OUTWARD if where is not Where.BESIDE),
    ),
    State.SERVING: ((Who.NAMED, Where.SERVICE, SERVING),),
    State.STOPPING: ((Who.NAMED, Where.POD, SERVING), (Who.MONITORING, Where.POD, SERVING)),
    State.STOPPED: ((Who.NODE, Where.SERVICE, SERVING),),
}
"""By what each state is known to have begun: agent and proxy follow the API server with a short delay."""


@dataclass(frozen=True, slots=True)
class Story:
    """What was seen from the first state to the last."""

    outcomes: Mapping[Cell, Outcome]
    ready: Manifest
    """The first engine's pod when it became Ready,"""
    later: Manifest
    """and after all rounds that it lived through."""


def settle(probing: Probing, state: State) -> None:
    """Where the signs don't come, the round tells which."""
    signs = [Cell(state, *sign) for sign in SIGNS[state]]

    def settled() -> bool:
        return all(outcome in expected(cell) for cell, outcome in probing.outcomes(signs).items())

    with contextlib.suppress(TestbedError):
        wait_for(f"state {state!r} to have come into force", settled, SETTLE_SECONDS)


def one_round(probing: Probing, state: State) -> dict[Cell, Outcome]:
    with measured(f"isolation, {state}: until it is in force"):
        settle(probing, state)
    cells = [cell for cell in TABLE if cell.state is state]
    with measured(f"isolation, {state}: {len(cells)} attempts"):
        return probing.outcomes(cells)


@pytest.fixture(scope="module")
def story(cilium_bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Story:
    bed, admin = cilium_bed, Admin(cilium_bed.kubeconfig)
    assert bed.node is not None
    with measured("isolation, everything"), stage(bed, admin, tmp_path_factory.mktemp("images")):
        probing = Probing(bed, admin, Addresses.of(bed, admin))
        seen = one_round(probing, State.LOADING)
        ready = finish_loading(admin, bed.node)
        seen |= one_round(probing, State.SERVING)
        stop(admin)
        seen |= one_round(probing, State.STOPPING)
        later = admin.get("Pod", CLINIC, pod_name(Who.FIRST_ENGINE))
        assert later is not None
        end(admin)
        seen |= one_round(probing, State.STOPPED)
    return Story(seen, ready, later)


@pytest.mark.parametrize("state", State)
def test_every_attempt_ends_as_expected(story: Story, state: State) -> None:
    outcomes = {cell: outcome for cell, outcome in story.outcomes.items() if cell.state is state}
    assert set(outcomes) == {cell for cell in TABLE if cell.state is state}
    assert not [f"{cell}: {seen}" for cell, seen in outcomes.items() if seen not in expected(cell)]


def test_nothing_gets_out_of_a_serving_engine_where_others_get_everywhere(story: Story) -> None:
    tried = {
        cell: outcome
        for cell, outcome in story.outcomes.items()
        if cell.state is State.SERVING and cell.where in OUTWARD
    }
    assert {outcome for cell, outcome in tried.items() if cell.who in ENGINES} == {Outcome.SILENT}
    assert {outcome for cell, outcome in tried.items() if cell.who is Who.BESIDE} == {Outcome.CONNECTS}


def test_kubelets_probes_pass_through(story: Story) -> None:
    """It became Ready behind its deny, and stayed so, with the same container, when clients were cut off."""
    before, after = condition(story.ready, "Ready"), condition(story.later, "Ready")
    assert after["status"] == "True"
    assert after["lastTransitionTime"] == before["lastTransitionTime"]
    assert story.later["status"]["containerStatuses"][0]["restartCount"] == 0
