"""A storm of requests on an API server with few seats: the stop has seats of its own."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.guard.behind import account, guard_by_way_of
from tests.cluster.guard.crowd import Crowd, crowded, leads_to, small_api_server
from tests.cluster.guard.told import engaged, is_down, without
from tests.cluster.people import engage
from tests.cluster.support import Admin, Manifest, deployment
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

REFUSALS = 100
BOUND_SECONDS = 1.0


@pytest.fixture
def crowd_of(bed: Testbed, admin: Admin, namespace: str) -> Iterator[str]:
    """The namespace whose service accounts share one short queue with those of the guard's namespace."""
    levels = crowded(f"crowd-{namespace}", namespace, NAMESPACE)
    bed.apply(levels)
    editor = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    admin.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "crowd", "namespace": namespace},
            "roleRef": editor,
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        }
    )
    admin.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "busy", "namespace": namespace}})
    yield namespace
    for level in reversed(levels):
        admin.delete(level["kind"], None, level["metadata"]["name"])


def is_at_zero(body: Manifest | None) -> bool:
    return body is not None and body["spec"]["replicas"] == 0


@pytest.mark.guarantee("G14")
def test_a_stop_while_an_api_server_refuses_others(bed: Testbed, admin: Admin, namespace: str, crowd_of: str) -> None:
    """Without the guard's own priority it would stand in the crowd's queue."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    crowds_account = bed.service_account_kubeconfig(crowd_of, "default")
    with without(bed, "operator", "guard"), small_api_server(bed) as url:
        path = f"/api/v1/namespaces/{namespace}/configmaps/busy"
        with (
            guard_by_way_of(bed, leads_to(account(bed), url), "guard-in-the-storm"),
            Crowd(leads_to(crowds_account, url), path) as crowd,
        ):
            wait_for("the server to refuse many", lambda: crowd.answers[429] > REFUSALS, 20)
            before = crowd.answers.copy()
            began = time.monotonic()
            engage(admin, namespace, "notes")
            admin.wait("StatefulSet", namespace, "notes", is_at_zero)
            took = time.monotonic() - began
            engaged(admin, namespace, "notes")
            during = crowd.answers - before
    print(f"\nat 0 replicas after {took:.3f} s; the crowd meanwhile got {dict(during)}")
    assert is_down(admin, namespace, "notes")
    assert took < BOUND_SECONDS
    assert during[429] > during[200] / 4
