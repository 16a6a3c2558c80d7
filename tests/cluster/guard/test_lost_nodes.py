"""A pod on a lost node: nobody saw it end, and nobody is told that it did."""

from datetime import UTC, datetime

import pytest

from tests.cluster.guard.told import engaged, told_as, without
from tests.cluster.people import engage
from tests.cluster.support import Admin, core, deployment
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

OUT = [{"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}]


def set_ready(admin: Admin, node: str, status: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = {"type": "Ready", "status": status, "reason": "Test", "message": "", "lastHeartbeatTime": now}
    core(admin).patch_node_status(node, {"status": {"conditions": [said | {"lastTransitionTime": now}]}})


def lose(admin: Admin, node: str, namespace: str, pod: str) -> None:
    """As the node's controller does after 50 s without a heartbeat: the node is Unknown, its pods are not ready."""
    set_ready(admin, node, "Unknown")
    conditions = [{"type": "Ready", "status": "False"}]
    core(admin).patch_namespaced_pod_status(pod, namespace, {"status": {"conditions": conditions}})


@pytest.mark.parametrize("confirmation", ["taint", "delete"])
@pytest.mark.guarantee("G5", "G12")
def test_it_is_unconfirmed_until_a_person_says_that_the_node_is_off(
    bed: Testbed, admin: Admin, namespace: str, confirmation: str
) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    pod = admin.get("Pod", namespace, "notes-0")
    assert pod is not None
    node = pod["spec"]["nodeName"]
    was = admin.get("Node", None, node)
    assert was is not None
    with without(bed, "operator", "kwok"):
        lose(admin, node, namespace, "notes-0")
        engage(admin, namespace, "notes")
        told = told_as(admin, namespace, "notes", "EngagedUnverified")
        lost = [{"name": "notes-0", "uid": pod["metadata"]["uid"], "node": node}]
        assert told["unconfirmedPods"] == lost
        assert f"taint node {node}" in told["message"]
        assert "verifiedAt" not in told

        # Deleted by force its object is gone, and nothing is proven by that; nor does a restart forget it.
        admin.resource("Pod").delete(name="notes-0", namespace=namespace, body={"gracePeriodSeconds": 0})
        told = told_as(admin, namespace, "notes", "EngagedUnverified", lastPodGoneAt=_any)
        bed.kill("guard")
        bed.start_program("guard")
        assert told_as(admin, namespace, "notes", "EngagedUnverified")["unconfirmedPods"] == lost

        if confirmation == "taint":
            core(admin).patch_node(node, {"spec": {"taints": OUT}})
        else:
            admin.delete("Node", None, node)
        proven = engaged(admin, namespace, "notes")
        assert "unconfirmedPods" not in proven
        if confirmation == "taint":
            core(admin).patch_node(node, {"spec": {"taints": None}})
        else:
            kept = ("name", "labels", "annotations")
            was["metadata"] = {key: value for key, value in was["metadata"].items() if key in kept}
            admin.create(was)
            core(admin).patch_node_status(node, {"status": was["status"]})
    set_ready(admin, node, "True")


class _Any:
    """Equal to whatever is there."""

    def __eq__(self, other: object) -> bool:
        return other is not None

    def __hash__(self) -> int:
        return 0


_any = _Any()
