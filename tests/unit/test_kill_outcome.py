"""In which words a person reads what is missing from a stop, and what to do about it."""

from typing import Any

import pytest

from meditron_operator import names
from meditron_operator.core.killswitch.outcome import Outcome, Standing, outcome, together
from meditron_operator.core.killswitch.sight import SeenPod
from meditron_operator.core.killswitch.told import SwitchState
from tests.unit.killing import ENGAGED, deployment, endpoint_slice, pod, policy, sight, told, workload

HOLD = ENGAGED | {names.KILL_SWITCH: "hold"}
LOOK = "look again: meditron status notes -n ward"
HARDER = f"{LOOK}; to cut everything at once: meditron kill notes -n ward --mode halt"
DELETE = "kubectl delete pods -n ward -l meditron.ai/deployment=notes --grace-period=1"
POLICIES = "install the admission policies of the chart, or scale its StatefulSet to 0"
SILENT = "no guard said anything, so nobody probed it from outside"
ALIVE = "see whether the guard and the operator run"
LOST = "its kubelet doesn't end it: is node {} alive? If it is lost, switch it off"


@pytest.mark.parametrize(
    ("what", "missing", "steps"),
    [
        ({"body": deployment()}, ("the kill switch is no longer engaged",), ()),
        ({"pods": (pod(),)}, ("pod notes-0 on node n1",), (DELETE,)),
        ({"pods": (pod(grace=1),)}, ("pod notes-0 on node n1, which was told to end",), (LOST.format("n1"),)),
        (
            {"pods": (pod(grace=1), pod("notes-1"))},
            ("pod notes-0 on node n1, which was told to end", "pod notes-1 on node n1"),
            (DELETE,),
        ),
        ({"slices": (endpoint_slice("a", "b"),)}, ("2 endpoints of its Service",), (DELETE,)),
        ({"workloads": (workload(1),), "shut": False}, ("the API server still lets pods of it in",), (POLICIES,)),
        ({}, (SILENT,), (ALIVE,)),
        (
            {"policies": (policy(),), "workloads": (workload(3),)},
            ("the clients' policy stands", "its StatefulSet wants 3, which the API server refuses", SILENT),
            (ALIVE,),
        ),
        ({"pods": None}, ("the pods, which you may not look at", SILENT), (ALIVE,)),
        ({"body": deployment(ENGAGED, told(SwitchState.ENGAGING))}, ("the guard says Engaging",), (LOOK,)),
        (
            {"body": deployment(ENGAGED, told(SwitchState.ENGAGING, message="1 pod is left"))},
            ("the guard says Engaging: 1 pod is left",),
            (LOOK,),
        ),
        (
            {"body": deployment(HOLD), "pods": (pod(open_=True), pod("notes-1"))},
            ("the open gate of pod notes-0",),
            (HARDER,),
        ),
        ({"body": deployment(HOLD), "policies": (policy(),), "workloads": (workload(1),)}, (SILENT,), (ALIVE,)),
        ({"body": deployment(ENGAGED, told())}, (), ()),
    ],
)
def test_what_is_missing_and_what_to_do(what: dict[str, Any], missing: tuple[str, ...], steps: tuple[str, ...]) -> None:
    found = outcome(sight(**{"body": deployment(ENGAGED), **what}))
    assert (found.missing, found.steps) == (missing, steps)


def test_several_lost_nodes_are_named_in_order() -> None:
    pods = [pod(f"notes-{number}", grace=1) for number in range(3)]
    for each, node in zip(pods, ("n2", "n1", "n2"), strict=True):
        each["spec"]["nodeName"] = node
    assert outcome(sight(deployment(ENGAGED), pods=tuple(pods))).steps == (LOST.format("n1, n2"),)


def test_of_many_each_word_has_its_name_and_each_step_comes_once() -> None:
    seen = sight(deployment(ENGAGED))
    one = outcome(seen)
    assert together([(seen, one)]) == one
    assert together([(seen, one), (seen, one)]) == Outcome(
        standing=Standing.UNPROVEN, missing=(f"notes: {SILENT}", f"notes: {SILENT}"), steps=(ALIVE,)
    )


def test_a_pod_that_has_no_node_and_no_word_of_a_gate() -> None:
    new = {"metadata": {"name": "notes-0", "uid": "u"}}
    assert SeenPod.of(new) == SeenPod(name="notes-0", uid="u", node="", grace=None, open=False)
    assert str(SeenPod.of(new)) == "pod notes-0"
    ending = {"metadata": {**new["metadata"], "deletionTimestamp": "now"}}
    assert SeenPod.of(ending).grace == 0
    assert str(SeenPod.of(ending)) == "pod notes-0, which was told to end"
