"""The operator ends, is killed, comes back: nothing is lost and nothing is written twice."""

import time

import pytest
from kubernetes.dynamic.exceptions import NotFoundError

from tests.cluster.support import Admin, Audit, Manifest, deployment, touch, writes_caused
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster


def test_a_restart_writes_nothing(bed: Testbed, admin: Admin, audit: Audit, namespace: str) -> None:
    for number in range(3):
        admin.create(deployment(f"notes-{number}", namespace, replicas=number % 2))
    for number in range(3):
        admin.wait_settled(namespace, f"notes-{number}", "Ready" if number % 2 else "Idle")

    def restart() -> None:
        bed.stop("operator")
        bed.start_program("operator")

    assert writes_caused(admin, audit, namespace, restart) == []
    assert writes_caused(admin, audit, namespace, restart) == []


def test_kill_9_in_the_middle_ends_in_the_same_state(bed: Testbed, admin: Admin, namespace: str) -> None:
    for number in range(5):
        admin.create(deployment(f"notes-{number}", namespace, replicas=0))
    admin.wait("Service", namespace, "notes-0", lambda body: body is not None)

    bed.kill("operator")
    bed.start_program("operator")

    for number in range(5):
        admin.wait_settled(namespace, f"notes-{number}", "Idle")
    assert len(admin.list("NetworkPolicy", namespace)) == 5 * 3
    assert len(admin.list("StatefulSet", namespace)) == 5


def test_what_happened_meanwhile_is_caught_up_with(bed: Testbed, admin: Admin, audit: Audit, namespace: str) -> None:
    admin.create(deployment("edited", namespace, replicas=0))
    admin.create(deployment("damaged", namespace, replicas=0))
    admin.create(deployment("deleted", namespace, replicas=0))
    for name in ("edited", "damaged", "deleted"):
        admin.wait_phase(namespace, name, "Idle")
    bed.stop("operator")

    admin.patch("MeditronDeployment", namespace, "edited", {"spec": {"shutdown": {"graceSeconds": 99}}})
    admin.delete("Service", namespace, "damaged")
    admin.delete("MeditronDeployment", namespace, "deleted")
    admin.wait_gone("StatefulSet", namespace, "deleted", 60)
    bed.start_program("operator")

    admin.wait("StatefulSet", namespace, "edited", lambda body: grace_of(body) == 99 + 15)
    admin.wait("Service", namespace, "damaged", lambda body: body is not None)
    assert admin.get("MeditronDeployment", namespace, "deleted") is None
    assert admin.get("StatefulSet", namespace, "deleted") is None
    for name in ("edited", "damaged"):
        admin.wait_settled(namespace, name, "Idle")
    assert writes_caused(admin, audit, namespace, lambda: touch(admin, namespace, "edited")) == []


def grace_of(workload: Manifest | None) -> int | None:
    return workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] if workload else None


@pytest.mark.guarantee("G5")
@pytest.mark.usefixtures("restarting")
def test_the_api_server_restarts(bed: Testbed, admin: Admin, audit: Audit, namespace: str) -> None:
    """Watches break and come back; what is there already is not written again."""
    admin.create(deployment("notes", namespace, replicas=0))
    admin.wait_settled(namespace, "notes", "Idle")

    def restart() -> None:
        bed.kill("kube-apiserver")
        bed.start_program("kube-apiserver")

    assert writes_caused(admin, audit, namespace, restart) == []


ENGAGING = {
    "metadata": {
        "annotations": {
            "meditron.ai/kill-switch": "halt",
            "meditron.ai/kill-reason": "wrong dose suggested",
            "meditron.ai/killed-by": "admin",
        }
    }
}
AS_YOUNG_SECONDS = 4.0
"""The stamp's schema of our kind is read within five seconds of the API server's start, two of which it isn't ready."""


@pytest.mark.usefixtures("restarting")
def test_an_api_server_that_has_just_started_takes_a_stop_at_once(bed: Testbed, admin: Admin, namespace: str) -> None:
    """Dry runs from the moment on at which it says that it is ready, by somebody who writes the own name."""
    admin.create(deployment("notes", namespace, replicas=0))
    admin.wait_settled(namespace, "notes", "Idle")
    bed.kill("kube-apiserver")
    bed.start_program("kube-apiserver")

    ready, tried = time.monotonic(), 0
    while time.monotonic() < ready + AS_YOUNG_SECONDS:
        admin.patch("MeditronDeployment", namespace, "notes", ENGAGING, dry_run="All")
        admin.patch("Namespace", None, namespace, ENGAGING, dry_run="All")
        assert admin.list("Pod", namespace) == []
        with pytest.raises(NotFoundError):
            admin.delete("Pod", namespace, "notes-0")
        tried += 1
    print(f"\nengaged {tried} times at both scopes in the first {AS_YOUNG_SECONDS} s of an API server")
    assert tried > 5
