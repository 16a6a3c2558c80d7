"""Whose is what: a label may be taken off, an account's name may be anybody's."""

from typing import Any

import pytest

from meditron_operator.core.guard.carriers import Switch, Target
from meditron_operator.core.guard.idle import is_idle
from meditron_operator.core.guard.seen import NodeState, open_endpoints
from tests.unit.guard.kit import OWNER, meta, pod, policy, scaler, target, workload

NOTES = target()
OWN_LABELS = {"meditron.ai/deployment": "notes", "app.kubernetes.io/name": "meditron"}
LABELLED: Any = {"labels": OWN_LABELS, "ownerReferences": []}
OTHERS: Any = {"ownerReferences": [{**OWNER, "name": "other", "uid": "u-other"}]}


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        (pod(), True),
        (pod(label=None, metadata={"ownerReferences": []}), True),  # by its service account
        (pod(label=None, spec={"serviceAccountName": "x"}), True),  # by its StatefulSet
        (pod(label="other", spec={"serviceAccountName": "x"}, metadata={"ownerReferences": []}), False),
        (
            pod(label=None, spec={"readinessGates": None}, metadata={"labels": {}, "ownerReferences": []}),
            False,  # an account of that name alone may be anybody's
        ),
    ],
)
def test_whose_pod(found: Any, ours: bool) -> None:
    assert found.belongs_to(NOTES) is ours


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        (workload(), True),
        (workload(**LABELLED), True),
        (workload(ownerReferences=[{**OWNER, "uid": "of-a-namesake-before"}]), True),
        (workload(**OTHERS), False),
        (workload(labels={"meditron.ai/deployment": "notes"}, ownerReferences=[]), False),
        (workload(labels={}, ownerReferences=[]), False),
    ],
)
def test_whose_statefulset(found: Any, ours: bool) -> None:
    assert found.belongs_to(NOTES) is ours


@pytest.mark.parametrize(
    ("found", "opens"),
    [
        (policy(), True),
        (policy("notes-copy"), True),
        (policy("notes-deny", ingress=()), False),
        (policy("notes-operate"), False),
        (policy(**OTHERS), False),
    ],
)
def test_which_policy_opens(found: Any, opens: bool) -> None:
    assert found.opens(NOTES) is opens


@pytest.mark.parametrize(
    ("found", "scales"),
    [
        (scaler(), True),
        (scaler("StatefulSet"), True),
        (scaler("Deployment"), False),
        (scaler(name="other"), False),
    ],
)
def test_which_scaler(found: Any, scales: bool) -> None:
    assert found.scales(NOTES) is scales


READY = {"conditions": [{"type": "Ready", "status": "True"}]}
LOST = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
OUT = {"taints": [{"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}]}


@pytest.mark.parametrize(
    ("node", "state"),
    [
        (None, NodeState.OFF),
        ({"status": READY}, NodeState.READY),
        ({"status": LOST}, NodeState.LOST),
        ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, NodeState.LOST),
        ({}, NodeState.LOST),
        ({"status": LOST, "spec": OUT}, NodeState.OFF),
        ({"status": READY, "spec": OUT}, NodeState.READY),  # it is back, whatever somebody once said
    ],
)
def test_what_the_word_of_a_node_is_worth(node: Any, state: NodeState) -> None:
    assert NodeState.of(node) is state


@pytest.mark.parametrize(
    ("conditions", "leads"),
    [
        ({"ready": True}, True),
        ({}, True),  # not told means ready
        ({"ready": None}, True),
        ({"ready": False, "serving": True, "terminating": True}, True),
        ({"ready": False, "serving": False}, False),
        ({"ready": False}, False),
    ],
)
def test_where_a_service_leads(conditions: Any, leads: bool) -> None:
    def slice_of(service: str) -> Any:
        labels = {"kubernetes.io/service-name": service}
        return {"metadata": {"labels": labels}, "endpoints": [{"conditions": conditions}]}

    found = open_endpoints([slice_of("notes"), slice_of("other"), {"metadata": {}}], frozenset({"notes"}))
    assert found == (("notes",) if leads else ())


ODD_SECONDS: tuple[Any, ...] = (0, -1, 601, "7", 7.5, True, None, [])
ODD_SPECS: tuple[Any, ...] = (None, [], "x", 3, {}, {"shutdown": None}, {"shutdown": "x"})
ODD_STATUSES: tuple[Any, ...] = ("x", 3, [], {}, {"state": "?"}, {"state": "Engaged"})


def test_the_headless_service_is_believed_only_of_pods_that_are_gone() -> None:
    def slice_of(service: str) -> Any:
        endpoint = {"conditions": {"ready": True}, "targetRef": {"uid": "u-notes-0"}}
        return {"metadata": {"labels": {"kubernetes.io/service-name": service}}, "endpoints": [endpoint]}

    services, there = frozenset({"notes", "notes-pods"}), frozenset({"u-notes-0"})
    both = [slice_of("notes"), slice_of("notes-pods")]
    assert open_endpoints(both, services, there) == ("notes",)
    assert open_endpoints(both, services) == ("notes", "notes-pods")


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({"shutdown": {"graceSeconds": 7}}, 7),
        ({"shutdown": {"graceSeconds": 600}}, 600),
        *[({"shutdown": {"graceSeconds": odd}}, 30) for odd in ODD_SECONDS],
        *[(odd, 30) for odd in ODD_SPECS],
    ],
)
def test_grace_of_a_spec_of_any_shape(spec: Any, seconds: int) -> None:
    assert target(spec=spec).grace_seconds == seconds


def test_a_status_of_any_shape_is_read() -> None:
    for odd in ODD_STATUSES:
        assert target(status=odd).status is None
    assert Target.of({"metadata": meta("notes"), "status": "x"}).told is None


def test_a_namespace_is_its_annotations_of_ours() -> None:
    annotations = {"meditron.ai/kill-switch": "halt", "other": "x"}
    assert Switch.of({"metadata": meta("ward", annotations=annotations)}).annotations == {
        "meditron.ai/kill-switch": "halt"
    }


@pytest.mark.parametrize(
    ("metrics", "idle"),
    [
        ("# HELP x\ntgi_batch_current_size 0\ntgi_queue_size 0\n", True),
        ("tgi_batch_current_size 0.0\ntgi_queue_size 0.0", True),
        ("tgi_batch_current_size 1\ntgi_queue_size 0", False),
        ("tgi_batch_current_size 0\ntgi_queue_size 2", False),
        ("tgi_batch_current_size 0", False),  # a figure that is missing is no 0
        ("", False),
        ("tgi_batch_current_size NaN\ntgi_queue_size 0", False),
        ("tgi_batch_current_size x\ntgi_queue_size 0", False),
        ("<html>tgi_queue_size 0 tgi_batch_current_size 0</html>", False),
    ],
)
def test_idle_is_what_an_engine_says_itself(metrics: str, idle: bool) -> None:
    assert is_idle(metrics) is idle
