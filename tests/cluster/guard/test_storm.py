"""A storm of requests on an API server with few seats: the stop has seats of its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.guard.behind import account, guard_by_way_of
from tests.cluster.guard.crowd import Crowd, crowded, leads_to, small_api_server, small_audit_log
from tests.cluster.guard.told import engaged, is_down, without
from tests.cluster.people import engage
from tests.cluster.support import Admin, Audit, Manifest, Mark, Request, deployment
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

REFUSALS = 100
BOUND_SECONDS = 1.0
BEFORE_THE_GUARD, AFTER_THE_GUARD = 200, 400
"""Precedences of FlowSchemas; the guard's has 300."""
GUARD_USER = f"system:serviceaccount:{NAMESPACE}:meditron-guard"


@pytest.fixture
def crowd_of(bed: Testbed, admin: Admin, namespace: str, precedence: int) -> Iterator[str]:
    """The namespace whose service accounts share one short queue with those of the guard's namespace."""
    levels = crowded(f"crowd-{namespace}", precedence, namespace, NAMESPACE)
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


@contextmanager
def storm(bed: Testbed, crowd_of: str) -> Iterator[Crowd]:
    """One guard and a crowd on a small API server that refuses many of the crowd."""
    crowds_account = bed.service_account_kubeconfig(crowd_of, "default")
    with without(bed, "operator", "guard"), small_api_server(bed) as url:
        path = f"/api/v1/namespaces/{crowd_of}/configmaps/busy"
        with (
            guard_by_way_of(bed, leads_to(account(bed), url), "guard-in-the-storm"),
            Crowd(leads_to(crowds_account, url), path) as crowd,
        ):
            wait_for("the server to refuse many", lambda: crowd.answers[429] > REFUSALS, 20)
            yield crowd


def refused(bed: Testbed, since: Mark) -> list[Request]:
    """The guard's requests for which the small API server had no seat."""
    return [request for request in Audit(small_audit_log(bed)).since(since, GUARD_USER) if request.code == 429]


@pytest.mark.guarantee("G14")
@pytest.mark.parametrize("precedence", [AFTER_THE_GUARD])
def test_a_stop_while_an_api_server_refuses_others(bed: Testbed, admin: Admin, namespace: str, crowd_of: str) -> None:
    """None of the guard's requests has to wait in the crowd's queue."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    with storm(bed, crowd_of) as crowd:
        begin, before = Audit(small_audit_log(bed)).mark(), crowd.answers.copy()
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
    assert refused(bed, begin) == []


@pytest.mark.parametrize("precedence", [BEFORE_THE_GUARD])
def test_without_a_priority_of_its_own_it_would_be_refused(
    bed: Testbed, admin: Admin, namespace: str, crowd_of: str
) -> None:
    """What the other test sees there is not luck."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    with storm(bed, crowd_of):
        begin = Audit(small_audit_log(bed)).mark()
        engage(admin, namespace, "notes")
        wait_for("a refusal of the guard", lambda: refused(bed, begin), 30)
    admin.wait("StatefulSet", namespace, "notes", is_at_zero)
