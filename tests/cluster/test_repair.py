"""Changes by hand are undone; what belongs to somebody else is not touched."""

import json
from collections.abc import Callable

import pytest

from tests.cluster.support import (
    BEGINNING,
    STATEFULSET_CONTROLLER_USER,
    Admin,
    Audit,
    Manifest,
    condition,
    deployment,
    phase_of,
    touch,
    writes_caused,
)

pytestmark = pytest.mark.cluster


@pytest.fixture
def settled(admin: Admin, namespace: str) -> str:
    """A namespace in which `notes` stands, at no replicas."""
    admin.create(deployment("notes", namespace, replicas=0))
    admin.wait_settled(namespace, "notes", "Idle")
    return namespace


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Service", "notes"),
        ("Service", "notes-pods"),
        ("NetworkPolicy", "notes-deny"),
        ("NetworkPolicy", "notes-allow"),
        ("NetworkPolicy", "notes-operate"),
        ("ServiceAccount", "notes"),
        ("StatefulSet", "notes"),
    ],
)
def test_a_deleted_child_comes_back(admin: Admin, settled: str, kind: str, name: str) -> None:
    before = admin.get(kind, settled, name)
    assert before is not None

    admin.delete(kind, settled, name)

    def another(body: Manifest | None) -> bool:
        return body is not None and body["metadata"]["uid"] != before["metadata"]["uid"]

    admin.wait(kind, settled, name, another)


def add_environment(body: Manifest) -> None:
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "TRUST_REMOTE_CODE", "value": "true"})


def add_host_network(body: Manifest) -> None:
    body["spec"]["template"]["spec"]["hostNetwork"] = True
    body["spec"]["template"]["spec"]["containers"][0]["ports"][0]["hostPort"] = 8080


def scale_by_hand(body: Manifest) -> None:
    body["spec"]["replicas"] = 7


def open_to_all(body: Manifest) -> None:
    body["spec"]["ingress"] = [{}]


def allow_egress(body: Manifest) -> None:
    body["spec"]["egress"] = [{}]


def add_port(body: Manifest) -> None:
    body["spec"]["ports"].append({"name": "ssh", "port": 22, "targetPort": 22, "protocol": "TCP"})


def expose(body: Manifest) -> None:
    body["spec"]["type"] = "NodePort"


def mount_token(body: Manifest) -> None:
    body["automountServiceAccountToken"] = True


def change_label(body: Manifest) -> None:
    body["metadata"]["labels"]["app.kubernetes.io/name"] = "other"


def take_all_labels(body: Manifest) -> None:
    body["metadata"]["labels"] = None


def take_the_owner(body: Manifest) -> None:
    body["metadata"]["ownerReferences"] = None


Change = Callable[[Manifest], None]


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("StatefulSet", "notes", add_environment),
        ("StatefulSet", "notes", add_host_network),
        ("StatefulSet", "notes", scale_by_hand),
        ("StatefulSet", "notes", change_label),
        ("StatefulSet", "notes", take_all_labels),
        ("StatefulSet", "notes", take_the_owner),
        ("NetworkPolicy", "notes-deny", open_to_all),
        ("NetworkPolicy", "notes-deny", allow_egress),
        ("NetworkPolicy", "notes-allow", open_to_all),
        ("NetworkPolicy", "notes-allow", take_all_labels),
        ("Service", "notes", add_port),
        ("Service", "notes", expose),
        ("Service", "notes-pods", take_the_owner),
        ("ServiceAccount", "notes", mount_token),
        ("ServiceAccount", "notes", take_all_labels),
    ],
)
def test_a_change_by_hand_is_undone(
    admin: Admin, audit: Audit, settled: str, kind: str, name: str, change: Change
) -> None:
    before = essence(admin.get(kind, settled, name))

    def change_and_wait() -> None:
        admin.edit(kind, settled, name, change)
        admin.wait(kind, settled, name, lambda body: essence(body) == before)

    mark = audit.mark()
    written = writes_caused(admin, audit, settled, change_and_wait)
    plural = admin.resource(kind).name
    repairs = [request for request in written if (request.resource, request.name) == (plural, name)]
    assert [request.verb for request in repairs if request.code < 400] == ["update"], repairs
    # A taken label costs a refused creation before it, and each status that the controller writes in between an update.
    controller = audit.since(mark, STATEFULSET_CONTROLLER_USER)
    between = [each for each in controller if each.resource == f"{plural}/status" and each.namespace == settled]
    assert len(repairs) <= 2 + len(between), repairs


def essence(body: Manifest | None) -> Manifest | None:
    """What the operator decides of a child."""
    if body is None:
        return None
    kept = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    meta = body["metadata"]
    return kept | {"labels": meta.get("labels"), "owners": meta.get("ownerReferences")}


def test_what_somebody_else_owns_is_left_alone(admin: Admin, audit: Audit, namespace: str) -> None:
    theirs = admin.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "notes", "namespace": namespace},
            "spec": {"ports": [{"port": 80}], "selector": {"app": "billing"}},
        }
    )
    admin.create(deployment("notes", namespace))

    progressing = admin.wait_condition(namespace, "notes", "Progressing", "NotOurs")

    assert "Service notes exists and is not controlled by this deployment" in progressing["message"]
    assert admin.get("Service", namespace, "notes") == theirs
    assert admin.get("StatefulSet", namespace, "notes") is None
    assert "delete" not in {request.verb for request in audit.writes(BEGINNING, namespace)}


def test_two_deployments_that_want_the_same_service(admin: Admin, settled: str) -> None:
    """`notes` has a headless Service `notes-pods`, which is also the name of the second one's Service."""
    admin.create(deployment("notes-pods", settled, replicas=0))

    progressing = admin.wait_condition(settled, "notes-pods", "Progressing", "NotOurs")

    assert "Service notes-pods exists and is controlled by MeditronDeployment notes" in progressing["message"]
    assert phase_of(admin.get("MeditronDeployment", settled, "notes") or {}) == "Idle"


def test_somebody_elses_policy_that_opens_the_model_is_reported(admin: Admin, settled: str) -> None:
    hole = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "everything", "namespace": settled},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }
    admin.create(hole)

    isolated = admin.wait_condition(settled, "notes", "Isolated", "ForeignPolicy")

    assert "NetworkPolicy everything also selects these pods" in isolated["message"]
    assert admin.get("NetworkPolicy", settled, "everything") is not None
    admin.delete("NetworkPolicy", settled, "everything")
    admin.wait_condition(settled, "notes", "Isolated", "Unverified")


@pytest.mark.parametrize("label", ["nobody", "notes"])
def test_a_policy_can_not_hide_behind_a_label(admin: Admin, settled: str, label: str) -> None:
    hole = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "everything", "namespace": settled, "labels": {"meditron.ai/deployment": label}},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    }
    admin.create(hole)

    isolated = admin.wait_condition(settled, "notes", "Isolated", "ForeignPolicy")

    assert "NetworkPolicy everything also selects" in isolated["message"]


def test_what_runs_stays_shut_in_while_its_spec_is_invalid(admin: Admin, settled: str) -> None:
    admin.patch("MeditronDeployment", settled, "notes", {"spec": {"gpu": {"type": "NOPE"}}})
    admin.wait_phase(settled, "notes", "Invalid")
    before = admin.get("NetworkPolicy", settled, "notes-deny")
    assert before is not None

    admin.delete("NetworkPolicy", settled, "notes-deny")

    def another(body: Manifest | None) -> bool:
        return body is not None and body["metadata"]["uid"] != before["metadata"]["uid"]

    admin.wait("NetworkPolicy", settled, "notes-deny", another)


def test_a_pod_that_only_wears_the_label_is_no_replica(admin: Admin, settled: str) -> None:
    container = {
        "name": "c",
        "image": "registry.example.com/x:1",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    labels = {"meditron.ai/deployment": "notes"}
    admin.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "impostor", "namespace": settled, "labels": labels},
            "spec": {"containers": [container], "securityContext": security, "tolerations": [{"operator": "Exists"}]},
        }
    )
    admin.wait("Pod", settled, "impostor", lambda body: bool(body and body["status"].get("phase") == "Running"))
    touch(admin, settled, "notes")
    admin.create(deployment("afterwards", settled, replicas=0))
    admin.wait_settled(settled, "afterwards", "Idle")

    body = admin.get("MeditronDeployment", settled, "notes")
    assert body is not None
    assert (body["status"]["ready"], body["status"]["phase"]) == ("0/0", "Idle")
    admin.delete("Pod", settled, "impostor")


def test_a_restarted_rollout_by_hand_is_undone_quietly(admin: Admin, settled: str) -> None:
    """`kubectl rollout restart` writes an annotation into the template."""
    restart = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    admin.patch("StatefulSet", settled, "notes", {"spec": {"template": {"metadata": {"annotations": restart}}}})

    def undone(body: Manifest | None) -> bool:
        return body is not None and "annotations" not in body["spec"]["template"]["metadata"]

    admin.wait("StatefulSet", settled, "notes", undone)
    assert condition(admin.wait_settled(settled, "notes", "Idle"), "Progressing")["reason"] == "Complete"


def test_what_the_server_never_changes_is_told_with_the_way_out(admin: Admin, settled: str) -> None:
    """Somebody's own StatefulSet, made as ours are but for a field that can't be changed."""
    ours = admin.get("StatefulSet", settled, "notes")
    assert ours is not None
    parts = {key: ours[key] for key in ("apiVersion", "kind", "spec")} | {"labels": ours["metadata"]["labels"]}
    theirs: Manifest = json.loads(json.dumps(parts).replace("notes", "later"))
    theirs["metadata"] = {"name": "later", "namespace": settled, "labels": theirs.pop("labels")}
    theirs["spec"]["podManagementPolicy"] = "OrderedReady"
    admin.create(theirs)
    admin.create(deployment("later", settled, replicas=0))

    progressing = admin.wait_condition(settled, "later", "Progressing", "ImmutableFields")

    assert 'podManagementPolicy is "OrderedReady" and should be "Parallel"' in progressing["message"]
    assert f"kubectl delete statefulset later -n {settled} --cascade=orphan" in progressing["message"]
    admin.delete("StatefulSet", settled, "later")
    admin.wait_settled(settled, "later", "Idle")


def test_a_pod_whose_label_is_taken_is_reported_as_outside(admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")

    admin.patch("Pod", namespace, "notes-0", {"metadata": {"labels": {"meditron.ai/deployment": None}}})

    isolated = admin.wait_condition(namespace, "notes", "Isolated", "PodOutside")
    assert "pod notes-0 runs with the service account of this deployment and without its label" in isolated["message"]
    admin.delete("Pod", namespace, "notes-0")
    admin.wait_condition(namespace, "notes", "Isolated", "Unverified")
    admin.wait_settled(namespace, "notes", "Ready")
