"""The kill switch as the operator acts on it: no client, no replica, and the truth about it, whatever the spec says."""

import time

import pytest
from kubernetes.dynamic.exceptions import ForbiddenError, UnprocessibleEntityError

from tests.cluster.people import engage, refusal, release, resume
from tests.cluster.support import Admin, Audit, Manifest, condition, deployment, touch, writes_caused
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

KILL = "meditron.ai/kill-switch"
KEPT_OFF = "the kill switch keeps notes off"
WITHOUT = {"metadata": {"annotations": {KILL: None}}}


def assert_stopped(admin: Admin, namespace: str, name: str) -> Manifest:
    stopped = admin.wait_condition(namespace, name, "Stopped", "EngagedUnverified", 60)
    assert stopped["status"] == "True"
    assert admin.get("NetworkPolicy", namespace, f"{name}-allow") is None
    assert admin.get("Pod", namespace, f"{name}-0") is None
    workload = admin.get("StatefulSet", namespace, name)
    assert workload is None or workload["spec"]["replicas"] == 0
    return stopped


@pytest.mark.guarantee("G11")
def test_halt_cuts_everything_at_once(admin: Admin, namespace: str) -> None:
    """The other two modes are in test_modes.py."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    address = admin.get("Service", namespace, "notes")

    engage(admin, namespace, "notes")

    stopped = assert_stopped(admin, namespace, "notes")
    assert "wrong dose suggested" in stopped["message"]
    body = admin.wait_phase(namespace, "notes", "Stopped")
    assert condition(body, "Available")["reason"] == "Stopped"
    assert body["spec"]["replicas"] == 1  # what was asked for is not forgotten
    assert (body["status"]["desiredReplicas"], body["status"]["kill"]) == (0, "halt")
    assert admin.get("Service", namespace, "notes") == address  # clients keep the address


@pytest.mark.guarantee("G6")
def test_after_a_release_it_stays_off_until_somebody_resumes(admin: Admin, audit: Audit, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    engage(admin, namespace, "notes")
    assert_stopped(admin, namespace, "notes")

    release(admin, namespace, "notes")

    released = admin.wait_condition(namespace, "notes", "Stopped", "Released")
    assert released["status"] == "True"
    assert "requested by rita, approved by paul" in released["message"]
    assert writes_caused(admin, audit, namespace, lambda: touch(admin, namespace, "notes")) == []
    assert admin.get("Pod", namespace, "notes-0") is None

    resume(admin, namespace, "notes")

    body = admin.wait_settled(namespace, "notes", "Ready")
    assert condition(body, "Stopped")["reason"] == "NotEngaged"
    assert admin.get("NetworkPolicy", namespace, "notes-allow") is not None


@pytest.mark.guarantee("G7")
def test_engaged_again_it_takes_two_people_again(admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace, replicas=0))
    for _ in range(2):
        engage(admin, namespace, "notes")
        admin.wait_condition(namespace, "notes", "Stopped", "EngagedUnverified")
        assert "must first be requested" in refusal(admin, "MeditronDeployment", namespace, "notes", WITHOUT)
        release(admin, namespace, "notes")
        resume(admin, namespace, "notes")
        admin.wait_condition(namespace, "notes", "Stopped", "NotEngaged")


@pytest.mark.parametrize("scope", ["namespace", "cluster"])
def test_a_wider_scope_stops_and_releases_all_in_it(admin: Admin, namespace: str, scope: str) -> None:
    carrier = namespace if scope == "namespace" else "meditron-system"
    for name in ("notes", "letters"):
        admin.create(deployment(name, namespace))
        admin.wait_settled(namespace, name, "Ready")

    engage(admin, None, carrier, kind="Namespace")
    try:
        for name in ("notes", "letters"):
            stopped = assert_stopped(admin, namespace, name)
            assert f"whole {scope}, halt: wrong dose suggested" in stopped["message"]
            assert admin.wait_phase(namespace, name, "Stopped")["status"]["kill"] == f"halt ({scope})"
    finally:
        release(admin, None, carrier, kind="Namespace")
    for name in ("notes", "letters"):
        admin.wait_condition(namespace, name, "Stopped", "Released")
    resume(admin, None, carrier, kind="Namespace")

    for name in ("notes", "letters"):
        admin.wait_settled(namespace, name, "Ready")


@pytest.mark.guarantee("G12", "K14")
def test_stopped_is_not_said_before_the_last_pod_is_gone(bed: Testbed, admin: Admin, namespace: str) -> None:
    """The node doesn't answer: while the pod's object is there, nobody may believe that it is off."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    bed.stop("kwok")
    try:
        engage(admin, namespace, "notes")
        body = admin.wait("MeditronDeployment", namespace, "notes", clients_are_cut_off, 60)
    finally:
        bed.start_program("kwok")

    assert body is not None
    assert condition(body, "Stopped")["status"] == "False"
    assert body["status"]["phase"] == "Stopping"
    assert_stopped(admin, namespace, "notes")


def clients_are_cut_off(body: Manifest | None) -> bool:
    """The operator has done its part and says that the pod is still there."""
    message: str = condition(body or {}, "Stopped").get("message", "")
    return message.startswith("still there: pod notes-0, StatefulSet notes (its controller")


def test_a_deployment_that_is_born_stopped_never_runs(admin: Admin, audit: Audit, namespace: str) -> None:
    body = deployment("notes", namespace)
    body["metadata"]["annotations"] = {KILL: "halt"}

    admin.create(body)

    assert_stopped(admin, namespace, "notes")
    assert admin.list("Pod", namespace) == []


def test_nothing_brings_it_back(admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    policy = admin.get("NetworkPolicy", namespace, "notes-allow")
    assert policy is not None
    engage(admin, namespace, "notes")
    assert_stopped(admin, namespace, "notes")
    kept = ("name", "namespace", "labels", "ownerReferences")
    policy["metadata"] = {key: value for key, value in policy["metadata"].items() if key in kept}

    for kind in ("MeditronDeployment", "StatefulSet"):
        assert KEPT_OFF in refusal(admin, kind, namespace, "notes", {"spec": {"replicas": 3}})
    with pytest.raises(ForbiddenError, match=KEPT_OFF):
        admin.create(policy)

    assert_stopped(admin, namespace, "notes")


def test_it_can_be_mended_while_it_is_stopped(admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    engage(admin, namespace, "notes")
    assert_stopped(admin, namespace, "notes")

    admin.patch("MeditronDeployment", namespace, "notes", {"spec": {"shutdown": {"graceSeconds": 5}}})

    admin.wait_settled(namespace, "notes", "Stopped")
    workload = admin.get("StatefulSet", namespace, "notes")
    assert workload is not None
    assert workload["spec"]["replicas"] == 0


@pytest.mark.guarantee("G2", "K7")
def test_a_spec_that_no_longer_fits_is_stopped_all_the_same(admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    admin.patch("MeditronDeployment", namespace, "notes", {"spec": {"model": {"id": "no-such-model"}}})
    admin.wait_phase(namespace, "notes", "Invalid")
    assert admin.get("Pod", namespace, "notes-0") is not None  # a bad edit takes nothing down

    engage(admin, namespace, "notes")

    assert_stopped(admin, namespace, "notes")


@pytest.mark.guarantee("G3", "K2")
def test_engaged_while_the_operator_is_down(bed: Testbed, admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    bed.kill("operator")
    engage(admin, namespace, "notes")

    bed.start_program("operator")

    assert_stopped(admin, namespace, "notes")


@pytest.mark.guarantee("G8")
def test_engaging_twice_writes_nothing(admin: Admin, audit: Audit, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    engage(admin, namespace, "notes")
    assert_stopped(admin, namespace, "notes")
    admin.wait_settled(namespace, "notes", "Stopped")

    def again() -> None:
        engage(admin, namespace, "notes")
        touch(admin, namespace, "notes")

    assert writes_caused(admin, audit, namespace, again) == []


def test_a_refused_stop_is_tried_until_it_is_let_through(admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    policy = denial(namespace)
    for body in policy:
        admin.create(body)
    admin.wait("StatefulSet", namespace, "notes", lambda body: refused(admin, namespace))

    engage(admin, namespace, "notes")
    admin.wait_condition(namespace, "notes", "Progressing", "WriteRefused")
    for body in policy:
        admin.delete(body["kind"], None, body["metadata"]["name"])

    admin.wait_gone("Pod", namespace, "notes-0", 60)
    assert_stopped(admin, namespace, "notes")


def denial(namespace: str) -> list[Manifest]:
    """A house rule under which no StatefulSet of the namespace may be changed."""
    group, name = "admissionregistration.k8s.io/v1", f"frozen-{namespace}"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["statefulsets"]}
    chosen = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": chosen},
        "validations": [{"expression": "false", "message": "frozen"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {"apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": binding},
    ]


def refused(admin: Admin, namespace: str) -> bool:
    """Whether the rule is in force by now: it takes the API server a moment."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            admin.patch("StatefulSet", namespace, "notes", {"metadata": {"annotations": {"probe": "x"}}}, dry_run="All")
        except UnprocessibleEntityError:
            return True
    return False


def test_a_deployment_that_is_being_deleted_can_be_stopped(admin: Admin, namespace: str) -> None:
    """Somebody's finalizer holds it, for a backup say, and the model serves on meanwhile."""
    body = deployment("notes", namespace)
    body["metadata"]["finalizers"] = ["example.com/hold"]
    admin.create(body)
    admin.wait_settled(namespace, "notes", "Ready")
    admin.delete("MeditronDeployment", namespace, "notes")

    engage(admin, namespace, "notes")

    admin.wait_gone("Pod", namespace, "notes-0", 60)
    assert_stopped(admin, namespace, "notes")
    last = {"metadata": {"finalizers": None}}
    assert "the last finalizer must stay" in refusal(admin, "MeditronDeployment", namespace, "notes", last)
    release(admin, namespace, "notes")
    admin.patch("MeditronDeployment", namespace, "notes", last)


def test_a_statefulset_without_its_label_is_found(admin: Admin, namespace: str) -> None:
    """The spec is broken too, so that no repair puts the label back first."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    admin.patch("MeditronDeployment", namespace, "notes", {"spec": {"gpu": {"type": "NOPE"}}})
    admin.wait_phase(namespace, "notes", "Invalid")
    admin.patch("StatefulSet", namespace, "notes", {"metadata": {"labels": {"meditron.ai/deployment": None}}})

    engage(admin, namespace, "notes")

    admin.wait_gone("Pod", namespace, "notes-0", 60)
    assert_stopped(admin, namespace, "notes")


def test_a_pod_whose_label_was_taken_off_is_not_forgotten(admin: Admin, namespace: str) -> None:
    """The StatefulSet's controller lets it go, and it runs on: stopped it is not."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    admin.patch("Pod", namespace, "notes-0", {"metadata": {"labels": {"meditron.ai/deployment": None}}})

    engage(admin, namespace, "notes")

    stopped = admin.wait_condition(namespace, "notes", "Stopped", "Engaging")
    assert "pod notes-0" in stopped["message"]
    admin.delete("Pod", namespace, "notes-0")
    assert_stopped(admin, namespace, "notes")
