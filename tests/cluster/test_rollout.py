"""Rollouts where every GPU is taken: a bad template costs one replica and never the service."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from tests.cluster.people import engage, release, resume
from tests.cluster.replicas import serves, uids, watched
from tests.cluster.support import DEADLINE_SECONDS, Admin, Manifest, condition, core, current, deployment
from tests.cluster.wards import shared_ward
from tests.unit.cli.running import process

pytestmark = pytest.mark.cluster

NAME = "notes"
CRASH = "the engine can't start"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def ward(admin: Admin) -> Iterator[str]:
    """`notes` has three replicas on the three L4 of the testbed: none is left for a fourth."""
    with shared_ward(admin, "rollouts") as name:
        admin.create(deployment(NAME, name, replicas=3))
        admin.wait_settled(name, NAME, "Ready", 2 * DEADLINE_SECONDS)
        yield name


@pytest.fixture
def full(admin: Admin, ward: str) -> Iterator[str]:
    """All three replicas serve, at the beginning and at the end."""
    yield ward
    heal(admin, ward)


def variables(fault: str | None = None, **rest: Any) -> Manifest:
    """A change of the template: an engine that works, or one that does not."""
    engine = {"extraEnv": {"NUMBER": str(next(_numbers)), "SIMULATED_FAULT": fault}}
    return {"spec": {"engine": engine, **rest}}


def change(admin: Admin, namespace: str, body: Manifest) -> None:
    admin.patch("MeditronDeployment", namespace, NAME, body)


def heal(admin: Admin, namespace: str) -> None:
    change(admin, namespace, variables(rollout={"onFailure": "hold"}))
    admin.wait_settled(namespace, NAME, "Ready", 2 * DEADLINE_SECONDS)


def progress(admin: Admin, namespace: str, reason: str, ready: str, name: str = NAME) -> Manifest:
    """Until `Progressing` has that reason for the current spec, and so many replicas serve; the condition."""

    def holds(body: Manifest | None) -> bool:
        told = body is not None and current(body) and body["status"]["ready"] == ready
        return bool(body) and told and condition(body or {}, "Progressing")["reason"] == reason

    found = admin.wait("MeditronDeployment", namespace, name, holds, 2 * DEADLINE_SECONDS)
    return condition(found or {}, "Progressing")


def wait_pod(admin: Admin, namespace: str, name: str, holds: Callable[[Manifest], bool]) -> None:
    admin.wait("Pod", namespace, name, lambda body: body is not None and holds(body))


def test_a_change_takes_one_replica_after_the_other(admin: Admin, full: str) -> None:
    before, serving = uids(admin, full, NAME), watched(admin, full, NAME)

    change(admin, full, variables())
    admin.wait_settled(full, NAME, "Ready", 2 * DEADLINE_SECONDS)

    after = uids(admin, full, NAME)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    assert serving.lowest == 2


def test_two_changes_in_a_row(admin: Admin, full: str) -> None:
    serving = watched(admin, full, NAME)

    change(admin, full, variables("crash"))
    wait_pod(admin, full, "notes-2", lambda pod: not serves(pod))
    change(admin, full, variables())
    admin.wait_settled(full, NAME, "Ready", 2 * DEADLINE_SECONDS)

    assert serving.lowest == 2


def test_a_bad_template_stops_at_the_first_replica_and_can_be_taken_back(admin: Admin, full: str) -> None:
    before, serving = uids(admin, full, NAME), watched(admin, full, NAME)
    good = admin.get("MeditronDeployment", full, NAME)
    assert good is not None

    change(admin, full, variables("crash"))
    told = progress(admin, full, "Stalled", "2/3")

    assert told["status"] == "False"
    assert told["message"].startswith("notes-2: Error with exit code 1 after 3 restarts")
    assert CRASH in told["message"]
    assert "2 of 3 replicas keep the template that they have. Correct the spec" in told["message"]
    seen = process("status", NAME, "-n", full, KUBECONFIG=str(admin.kubeconfig))
    assert f"{full}/{NAME}  Degraded (Stalled), 2/3 replicas ready" in seen.out
    assert "next: correct the spec, or take the change back (Progressing)" in seen.out

    taken_back = {"NUMBER": None, "SIMULATED_FAULT": None} | good["spec"]["engine"].get("extraEnv", {})
    change(admin, full, {"spec": {"engine": {"extraEnv": taken_back}}})
    admin.wait_settled(full, NAME, "Ready", 2 * DEADLINE_SECONDS)

    after = uids(admin, full, NAME)
    assert [name for name in sorted(after) if after[name] != before[name]] == ["notes-2"]
    assert serving.lowest == 2


def test_a_bad_template_is_rolled_back_and_not_tried_again(admin: Admin, full: str) -> None:
    before, serving = uids(admin, full, NAME), watched(admin, full, NAME)

    change(admin, full, variables("crash", rollout={"onFailure": "rollback"}))
    told = progress(admin, full, "RolledBack", "3/3")

    assert CRASH in told["message"]
    after = uids(admin, full, NAME)
    assert [name for name in sorted(after) if after[name] != before[name]] == ["notes-2"]
    # Other fields still act, and none of them brings the failed template back.
    clients = [{"namespace": "ward", "podLabels": {"app": "elsewhere"}}]
    change(admin, full, {"spec": {"network": {"clients": clients}}})
    assert "all replicas have the template that served before" in progress(admin, full, "RolledBack", "3/3")["message"]
    assert uids(admin, full, NAME) == after
    # A template that somebody changes by hand is repaired, to the one that served.
    served = template(admin, full)
    environment = [{"name": "TRUST_REMOTE_CODE", "value": "true"}]

    def add(body: Manifest) -> None:
        body["spec"]["template"]["spec"]["containers"][0]["env"] += environment

    admin.edit("StatefulSet", full, NAME, add)
    admin.wait("StatefulSet", full, NAME, lambda body: body is not None and body["spec"]["template"] == served)
    assert uids(admin, full, NAME) == after
    assert serving.lowest == 2


def test_a_kill_switch_in_the_middle_wins_and_the_way_back_is_not_forgotten(admin: Admin, full: str) -> None:
    """At 0 replicas the StatefulSet's controller takes the newest revision for the current one: all start with it."""
    change(admin, full, variables("crash", rollout={"onFailure": "rollback"}))
    wait_pod(admin, full, "notes-2", lambda pod: not serves(pod))

    engage(admin, full, NAME)
    admin.wait_phase(full, NAME, "Stopped")
    assert uids(admin, full, NAME) == {}
    release(admin, full, NAME)
    resume(admin, full, NAME)

    assert CRASH in progress(admin, full, "RolledBack", "3/3")["message"]


def test_an_image_that_is_not_there(admin: Admin, full: str) -> None:
    serving = watched(admin, full, NAME)

    change(admin, full, variables("image"))
    told = progress(admin, full, "Stalled", "2/3")

    assert "ImagePullBackOff" in told["message"]
    assert serving.lowest == 2


def test_a_node_is_drained_in_the_middle(admin: Admin, full: str) -> None:
    pod = admin.get("Pod", full, "notes-0")
    assert pod is not None
    node, updated = pod["spec"]["nodeName"], uids(admin, full, NAME)["notes-2"]
    serving = watched(admin, full, NAME)

    change(admin, full, variables())
    wait_pod(admin, full, "notes-2", lambda body: body["metadata"]["uid"] != updated)
    cordon(admin, node, True)
    try:
        drain(admin, full, "notes-0")
        wait_pod(admin, full, "notes-0", lambda body: "nodeName" not in body["spec"])
    finally:
        cordon(admin, node, False)
    admin.wait_settled(full, NAME, "Ready", 2 * DEADLINE_SECONDS)

    assert serving.lowest >= 1


def cordon(admin: Admin, node: str, unschedulable: bool) -> None:
    admin.patch("Node", None, node, {"spec": {"unschedulable": unschedulable}})


def drain(admin: Admin, namespace: str, pod: str) -> None:
    """As kubectl does it: again while the PodDisruptionBudget refuses."""
    eviction = client.V1Eviction(
        api_version="policy/v1", kind="Eviction", metadata=client.V1ObjectMeta(name=pod, namespace=namespace)
    )
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            core(admin).create_namespaced_pod_eviction(pod, namespace, eviction)
        except ApiException as error:
            if error.status != 429 or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def test_what_no_node_could_hold_is_not_begun(admin: Admin, full: str) -> None:
    before = uids(admin, full, NAME)

    change(admin, full, {"spec": {"gpu": {"count": 2}}})
    told = progress(admin, full, "NoRoom", "3/3")
    change(admin, full, {"spec": {"gpu": {"count": None}}})
    admin.wait_settled(full, NAME, "Ready")

    assert "notes-2 serves, and no node would have the GPUs for its successor" in told["message"]
    assert uids(admin, full, NAME) == before


def test_what_is_changed_by_hand_restarts_nothing(admin: Admin, full: str) -> None:
    before, served = uids(admin, full, NAME), template(admin, full)
    restart = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}

    for _ in range(3):
        admin.patch("StatefulSet", full, NAME, {"spec": {"template": {"metadata": {"annotations": restart}}}})
        admin.wait("StatefulSet", full, NAME, lambda body: body is not None and body["spec"]["template"] == served)
    admin.wait_settled(full, NAME, "Ready")

    assert uids(admin, full, NAME) == before


def template(admin: Admin, namespace: str) -> Any:
    body = admin.get("StatefulSet", namespace, NAME)
    assert body is not None
    return body["spec"]["template"]


def test_replicas_that_all_crash_are_replaced_and_a_single_one_is_kept(admin: Admin, ward: str) -> None:
    """On cards of their own. Neither kind of pod management replaces a replica that crashes."""
    body = deployment("fresh", ward, replicas=2, gpu={"type": "RTX-4090"})
    body["spec"]["engine"]["extraEnv"] = {"SIMULATED_FAULT": "crash"}
    admin.create(body)
    admin.wait_condition(ward, "fresh", "Available", "CrashLoop")

    admin.patch("MeditronDeployment", ward, "fresh", variables())
    admin.wait_settled(ward, "fresh", "Ready")

    admin.patch("MeditronDeployment", ward, "fresh", {"spec": {"replicas": 1}})
    admin.wait_settled(ward, "fresh", "Ready")
    before = uids(admin, ward, "fresh")
    admin.patch("MeditronDeployment", ward, "fresh", variables())
    told = progress(admin, ward, "OutageNeeded", "1/1", "fresh")
    assert told["message"].startswith("fresh-0 is the only replica that serves")
    assert uids(admin, ward, "fresh") == before

    admin.patch("MeditronDeployment", ward, "fresh", {"spec": {"rollout": {"allowOutage": True}}})
    progress(admin, ward, "Complete", "1/1", "fresh")
    assert uids(admin, ward, "fresh") != before
