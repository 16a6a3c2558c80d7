"""What a person sees of a deployment, and how far its stop has come."""

from itertools import product
from typing import Any

import pytest

from meditron_operator import names
from meditron_operator.core.killswitch.effective import Scope
from meditron_operator.core.killswitch.outcome import (
    GUARD_SECONDS,
    PROOF_SECONDS,
    QUIET_SECONDS,
    Standing,
    outcome,
    settled,
    together,
)
from meditron_operator.core.killswitch.sight import Objects, engaged_since, last_written, sights
from meditron_operator.core.killswitch.told import SwitchState, UnconfirmedPod
from tests.unit.killing import (
    ENGAGED,
    NOON,
    RELEASED,
    REQUESTED,
    deployment,
    endpoint_slice,
    namespace,
    pod,
    policy,
    sight,
    told,
    workload,
)

HOLD = ENGAGED | {names.KILL_SWITCH: "hold"}
LOST = (UnconfirmedPod(name="notes-0", uid="1", node="n7"),)
DRAIN = ENGAGED | {names.KILL_SWITCH: "drain"}


def test_everything_is_seen() -> None:
    seen = sight(
        deployment(ENGAGED, told()),
        pods=(pod(open_=True, grace=30),),
        policies=(policy(), policy("notes-deny")),
        workloads=(workload(2),),
        slices=(endpoint_slice("10.0.0.1"), endpoint_slice("10.0.0.1", "10.0.0.2"), endpoint_slice("9", ready=False)),
        shut=True,
    )
    assert seen.pods is not None
    assert [(each.name, each.node, each.grace, each.open) for each in seen.pods] == [("notes-0", "n1", 30, True)]
    assert (seen.policy, seen.replicas, seen.endpoints, seen.shut) == (True, 2, 2, True)
    assert seen.told is not None
    assert seen.carrier == ENGAGED


def test_what_nobody_may_look_at_is_not_taken_for_gone() -> None:
    seen = sight(deployment(ENGAGED), pods=None, policies=None, workloads=None, slices=None)
    assert (seen.pods, seen.policy, seen.replicas, seen.endpoints, seen.shut) == (None,) * 5
    assert outcome(seen).standing is Standing.UNPROVEN
    assert "the pods, which you may not look at" in outcome(seen).missing


@pytest.mark.parametrize("kind", ["ward", "system"])
def test_a_scope_that_nobody_may_look_at_is_told(kind: str) -> None:
    nothing: Any = {"pods": (), "policies": (), "workloads": (), "slices": ()}
    seen = sights(
        Objects(deployments=(deployment(),), operator_namespace="system", namespaces=(namespace(kind),), **nothing)
    )[0]
    assert seen.off is None
    assert not seen.every_scope_seen


def test_the_widest_scope_counts_as_in_the_operator() -> None:
    seen = sight(deployment(HOLD), wards=ENGAGED)
    assert seen.off is not None
    assert seen.off.scope is Scope.NAMESPACE
    assert seen.carrier == ENGAGED


def test_others_with_nearly_the_same_name_are_others() -> None:
    other = pod("notes-2-0")
    other["metadata"]["labels"] = {names.DEPLOYMENT_LABEL: "notes-2"}
    elsewhere = pod("notes-0")
    elsewhere["metadata"]["namespace"] = "other"
    assert sight(deployment(ENGAGED), pods=(other, elsewhere)).pods == ()


@pytest.mark.parametrize(
    ("body", "believed"),
    [
        (deployment(ENGAGED, told()), True),
        (deployment(ENGAGED, told(mode="hold")), False),
        (deployment(ENGAGED, told(scope="namespace")), False),
        (deployment(ENGAGED, told(SwitchState.RELEASED)), False),
        (deployment(ENGAGED, told(SwitchState.RESUMED)), False),
        (deployment(ENGAGED, {"killSwitch": "nonsense"}), False),
        (deployment(ENGAGED, {}), False),
        (deployment({}, told()), False),
        (deployment(RELEASED, told()), False),
        (deployment(RELEASED, told(SwitchState.RELEASED)), True),
        (deployment(ENGAGED | REQUESTED, told()), True),
        # Engaged anew after a release: a guard that died in between told of the stop before.
        (deployment(ENGAGED | RELEASED, told(engaged_at="2026-01-31T11:59:00.000Z")), False),
        (deployment(ENGAGED | RELEASED, told(engaged_at="2026-01-31T12:09:00.000Z")), True),
        (deployment(ENGAGED | RELEASED, told(engaged_at=None)), False),
        (
            deployment(
                ENGAGED | RELEASED,
                told(admitted_at="2026-01-31T11:59:00Z", engaged_at="2026-01-31T12:09:00.000Z"),
            ),
            False,
        ),
    ],
)
def test_the_guards_words_of_an_earlier_stop_are_not_believed(body: dict[str, Any], believed: bool) -> None:
    assert (sight(body).told is not None) is believed


PROVEN, NOT, UNPROVEN = Standing.PROVEN, Standing.NOT_STOPPED, Standing.UNPROVEN


@pytest.mark.parametrize(
    ("what", "standing"),
    [
        ({"body": deployment()}, NOT),
        ({"body": deployment(RELEASED)}, NOT),
        ({"body": deployment(ENGAGED, told())}, PROVEN),
        ({"body": deployment(ENGAGED)}, UNPROVEN),
        ({"body": deployment(ENGAGED, told(SwitchState.ENGAGING))}, UNPROVEN),
        ({"body": deployment(ENGAGED, told(SwitchState.ENGAGED_UNVERIFIED))}, UNPROVEN),
        # The guard may say what it likes: a pod is a pod.
        ({"body": deployment(ENGAGED, told()), "pods": (pod(),)}, NOT),
        ({"body": deployment(ENGAGED), "pods": (pod(grace=30),)}, NOT),
        ({"body": deployment(ENGAGED), "slices": (endpoint_slice("10.0.0.1"),)}, NOT),
        ({"body": deployment(ENGAGED), "workloads": (workload(1),), "shut": True}, UNPROVEN),
        ({"body": deployment(ENGAGED), "workloads": (workload(1),), "shut": False}, NOT),
        ({"body": deployment(ENGAGED), "workloads": (workload(0),), "shut": False}, UNPROVEN),
        ({"body": deployment(ENGAGED), "policies": (policy(),)}, UNPROVEN),
        ({"body": deployment(DRAIN), "pods": (pod(),)}, NOT),
        ({"body": deployment(DRAIN)}, UNPROVEN),
        ({"body": deployment(HOLD), "pods": (pod(open_=True),)}, NOT),
        ({"body": deployment(HOLD), "pods": (pod(),), "policies": (policy(),)}, UNPROVEN),
        ({"body": deployment(HOLD, told(mode="hold")), "pods": (pod(),), "policies": (policy(),)}, PROVEN),
    ],
)
def test_how_far_a_stop_has_come(what: dict[str, Any], standing: Standing) -> None:
    found = outcome(sight(**what))
    assert found.standing is standing
    assert bool(found.missing) is (standing is not PROVEN)


def test_the_next_step_names_the_lost_node() -> None:
    found = outcome(sight(deployment(ENGAGED, told(SwitchState.ENGAGED_UNVERIFIED, unconfirmed_pods=LOST))))
    assert found.steps == ("make sure that node n7 is off (pod notes-0)",)


@pytest.mark.parametrize(
    ("pods", "step"),
    [
        ((pod(),), "kubectl delete pods -n ward -l meditron.ai/deployment=notes --grace-period=1"),
        ((pod(grace=1),), "is node n1 alive?"),
    ],
)
def test_a_stop_that_hangs_has_a_next_step(pods: tuple[dict[str, Any], ...], step: str) -> None:
    (said,) = outcome(sight(deployment(ENGAGED), pods=pods)).steps
    assert step in said


ONE_OF_EACH = {
    PROVEN: sight(deployment(ENGAGED, told())),
    UNPROVEN: sight(deployment(ENGAGED)),
    NOT: sight(deployment(ENGAGED), pods=(pod(),)),
}


def test_many_are_as_good_as_the_worst() -> None:
    best = (PROVEN, UNPROVEN, NOT)
    for kinds in product(best, repeat=2):
        found = [(ONE_OF_EACH[kind], outcome(ONE_OF_EACH[kind])) for kind in kinds]
        assert together(found).standing is max(kinds, key=best.index)
    assert together(()).standing is PROVEN


@pytest.mark.parametrize(
    ("seen", "seconds", "done"),
    [
        (ONE_OF_EACH[PROVEN], 0.0, True),
        (ONE_OF_EACH[NOT], 3600.0, False),
        (ONE_OF_EACH[UNPROVEN], GUARD_SECONDS - 0.1, False),
        (ONE_OF_EACH[UNPROVEN], GUARD_SECONDS, True),
        (sight(deployment(ENGAGED, told(SwitchState.ENGAGING))), 3600.0, False),
        (sight(deployment(ENGAGED, told(SwitchState.ENGAGED_UNVERIFIED))), GUARD_SECONDS, False),
        (sight(deployment(ENGAGED, told(SwitchState.ENGAGED_UNVERIFIED))), PROOF_SECONDS, True),
        (sight(deployment(ENGAGED, told(SwitchState.ENGAGED_UNVERIFIED, unconfirmed_pods=LOST))), GUARD_SECONDS, True),
    ],
)
def test_when_waiting_is_of_no_use(seen: Any, seconds: float, done: bool) -> None:
    assert settled(((seen, outcome(seen)),), seconds, quiet=seconds) is done


def test_what_was_there_a_moment_ago_may_come_back() -> None:
    seen = ONE_OF_EACH[UNPROVEN]
    assert not settled(((seen, outcome(seen)),), 3600.0, QUIET_SECONDS - 0.1)


def test_since_when_it_is_engaged() -> None:
    wrote: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{names.KILL_SWITCH}": {}}}}
    body = deployment(ENGAGED)
    body["metadata"]["managedFields"] = [
        {"manager": "kubectl", "time": "2026-01-31T11:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "meditron-kill", "time": "2026-01-31T12:00:00Z", "fieldsV1": wrote},
        {"manager": "without a time", "fieldsV1": wrote},
    ]
    assert engaged_since(body) == NOON
    assert last_written(body, "meditron-kill") == NOON
    assert engaged_since(deployment()) is None
    assert last_written(body, "nobody") is None
