"""The situations in which the best stop of a comparable project did not stop (docs/kill-switch-proof.md)."""

import os
import subprocess
import sys
from typing import Any

import pytest
from kubernetes.dynamic.exceptions import ForbiddenError

from meditron_operator.core.killswitch.records import Record, verify
from tests.cluster.guard.told import engaged, is_down, pods_of, wait_down, without
from tests.cluster.people import engage, release, resume
from tests.cluster.support import Admin, Manifest
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

LEFT_SECONDS = 20


@pytest.mark.guarantee("G3", "K1", "K2")
@pytest.mark.parametrize("dead", [("operator",), ("guard",)], ids=" and ".join)
def test_either_process_is_enough(
    bed: Testbed, admin: Admin, namespace: str, notes: str, dead: tuple[str, ...]
) -> None:
    with without(bed, *dead):
        engage(admin, namespace, notes)
        wait_down(admin, namespace, notes, LEFT_SECONDS)


@pytest.mark.guarantee("G3", "K1", "K2")
def test_with_every_process_dead_two_commands_stop_it(bed: Testbed, admin: Admin, namespace: str, notes: str) -> None:
    """The two of the page for the wall. StatefulSet and policy stay as they are, and bring nothing back."""
    with without(bed, "operator", "guard"):
        engage(admin, namespace, notes)
        before = {pod["metadata"]["uid"] for pod in pods_of(admin, namespace, notes)}
        options = {"gracePeriodSeconds": 1}
        admin.resource("Pod").delete(
            namespace=namespace, label_selector=f"meditron.ai/deployment={notes}", body=options
        )
        admin.wait_gone("Pod", namespace, f"{notes}-0")

        refused = wait_for("the controller to be refused a pod", lambda: refusals(admin, namespace), LEFT_SECONDS)
        assert all("the kill switch keeps notes off" in each["message"] for each in refused)
        assert pods_of(admin, namespace, notes) == []
        assert before
    engaged(admin, namespace, notes)


def refusals(admin: Admin, namespace: str) -> list[Manifest]:
    return [each for each in admin.list("Event", namespace) if each["reason"] == "FailedCreate"]


@pytest.mark.guarantee("G2", "K3")
@pytest.mark.parametrize("program", ["operator", "guard"])
def test_one_that_hangs_holds_nothing_up(bed: Testbed, admin: Admin, namespace: str, notes: str, program: str) -> None:
    with bed.hung(program):
        engage(admin, namespace, notes)
        wait_down(admin, namespace, notes, LEFT_SECONDS)


@pytest.mark.guarantee("G2", "K6")
def test_what_the_spec_refers_to_was_deleted_before(bed: Testbed, admin: Admin, namespace: str, notes: str) -> None:
    admin.delete("PersistentVolumeClaim", namespace, "weights")
    admin.delete("ServiceAccount", namespace, notes)
    engage(admin, namespace, notes)
    engaged(admin, namespace, notes)
    assert is_down(admin, namespace, notes)


@pytest.mark.guarantee("G2", "K7")
def test_the_spec_names_what_nobody_knows(admin: Admin, namespace: str, notes: str) -> None:
    admin.patch("MeditronDeployment", namespace, notes, {"spec": {"model": {"id": "no-such-model"}}})
    admin.wait_phase(namespace, notes, "Invalid")
    engage(admin, namespace, notes)
    engaged(admin, namespace, notes)
    assert is_down(admin, namespace, notes)


@pytest.mark.guarantee("G2", "K9")
def test_an_operator_that_can_not_start(bed: Testbed, admin: Admin, namespace: str, notes: str) -> None:
    command = [sys.executable, "-m", "meditron_operator", "operator", "--engine-image", "tgi:latest"]
    with without(bed, "operator"):
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ})
        assert (ended.returncode, "pin the image by digest" in ended.stderr) == (2, True)
        engage(admin, namespace, notes)
        engaged(admin, namespace, notes)
        assert is_down(admin, namespace, notes)


@pytest.mark.guarantee("G2", "K10")
def test_updates_that_somebody_switched_off(bed: Testbed, admin: Admin, namespace: str, notes: str) -> None:
    with without(bed, "operator"):
        admin.patch(
            "StatefulSet", namespace, notes, {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
        )
        engage(admin, namespace, notes)
        engaged(admin, namespace, notes)
        assert is_down(admin, namespace, notes)


@pytest.mark.guarantee("G2", "K12")
def test_made_again_by_hand_it_does_not_serve(bed: Testbed, admin: Admin, namespace: str, notes: str) -> None:
    with without(bed, "operator"):
        workload = admin.get("StatefulSet", namespace, notes)
        assert workload is not None
        engage(admin, namespace, notes)
        engaged(admin, namespace, notes)
        admin.delete("StatefulSet", namespace, notes)
        admin.wait_gone("StatefulSet", namespace, notes)

        with pytest.raises(ForbiddenError, match="keeps notes off"):
            admin.create(by_hand(workload, namespace, notes))
        admin.create({**as_deployment(workload), "metadata": {"name": "copy", "namespace": namespace}})
        refused = wait_for("the copy's pods to be refused", lambda: refusals(admin, namespace), LEFT_SECONDS)
        assert any("the kill switch keeps notes off" in each["message"] for each in refused)
        assert pods_of(admin, namespace, notes) == []
        admin.delete("Deployment", namespace, "copy")


def by_hand(workload: Manifest, namespace: str, name: str) -> Manifest:
    """The same without its owner."""
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "namespace": namespace},
            "spec": {**workload["spec"], "replicas": 1}}  # fmt: skip


def as_deployment(workload: Manifest) -> dict[str, Any]:
    """One whose pods the Service would take for its own."""
    spec = {key: workload["spec"][key] for key in ("selector", "template")}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {**spec, "replicas": 1}}


@pytest.mark.guarantee("G2", "K13")
def test_deleted_by_hand_it_is_not_made_again_to_serve(admin: Admin, namespace: str, notes: str) -> None:
    engage(admin, namespace, notes)
    engaged(admin, namespace, notes)
    before = admin.get("StatefulSet", namespace, notes)
    assert before is not None
    admin.delete("StatefulSet", namespace, notes)

    made = admin.wait("StatefulSet", namespace, notes, lambda body: body is not None and is_another(body, before))
    assert made is not None
    assert made["spec"]["replicas"] == 0
    assert pods_of(admin, namespace, notes) == []


def is_another(body: Manifest, before: Manifest) -> bool:
    return bool(body["metadata"]["uid"] != before["metadata"]["uid"])


@pytest.mark.guarantee("G6", "K15")
def test_started_again_it_has_the_same_address(admin: Admin, namespace: str, notes: str) -> None:
    before = admin.get("Service", namespace, notes)
    engage(admin, namespace, notes)
    engaged(admin, namespace, notes)
    release(admin, namespace, notes)
    resume(admin, namespace, notes)
    admin.wait_settled(namespace, notes, "Ready")

    after = admin.get("Service", namespace, notes)
    assert before is not None
    assert after is not None
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])


@pytest.mark.guarantee("G9", "K16")
def test_who_when_why_and_the_outcome_are_written_down(admin: Admin, namespace: str, notes: str) -> None:
    engage(admin, namespace, notes)
    engaged(admin, namespace, notes)
    release(admin, namespace, notes)
    resume(admin, namespace, notes)

    found = wait_for("three records with their outcomes", lambda: concluded(admin, namespace, 3), LEFT_SECONDS)
    stop, released, resumed = found
    assert [each["spec"]["action"] for each in found] == ["Engage", "Release", "Resume"]
    assert (stop["spec"]["actor"], stop["spec"]["reason"], stop["spec"]["mode"]) == (
        "admin",
        "wrong dose suggested",
        "halt",
    )
    assert stop["status"]["state"] == "Engaged"
    assert stop["status"]["secondsToStop"] < LEFT_SECONDS
    assert (released["spec"]["requestedBy"], released["spec"]["actor"]) == ("rita", "paul")
    assert resumed["spec"]["actor"] == "rosa"
    assert [each for each in verify(map(Record.of, found)) if each.broken] == []


def concluded(admin: Admin, namespace: str, count: int) -> list[Manifest]:
    """All records of the namespace, once there are so many and each has its outcome."""
    found = sorted(admin.list("KillRecord", namespace), key=lambda each: int(each["spec"]["sequence"]))
    return found if len(found) == count and all(each.get("status", {}).get("hash") for each in found) else []
