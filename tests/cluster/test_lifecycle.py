"""Create, edit, scale, delete: what comes out on a real API server, and that doing it again writes nothing."""

from pathlib import Path

import pytest
import yaml

from tests.cluster.support import SAMPLES, Admin, Audit, condition, deployment, strict, touch, writes_caused

pytestmark = pytest.mark.cluster

CHILDREN = (
    ("StatefulSet", ""),
    ("Service", ""),
    ("Service", "-pods"),
    ("NetworkPolicy", "-deny"),
    ("NetworkPolicy", "-allow"),
    ("NetworkPolicy", "-operate"),
    ("ServiceAccount", ""),
)


def test_a_deployment_becomes_its_children_and_serves(admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))

    ready = admin.wait_settled(namespace, "notes", "Ready")

    for kind, suffix in CHILDREN:
        child = admin.get(kind, namespace, f"notes{suffix}")
        assert child is not None, f"{kind} notes{suffix}"
        (owner,) = child["metadata"]["ownerReferences"]
        assert owner["uid"] == ready["metadata"]["uid"]
        assert "finalizers" not in child["metadata"]
    assert admin.get("PodDisruptionBudget", namespace, "notes") is None
    assert "finalizers" not in ready["metadata"]
    assert not ready["metadata"].get("annotations")
    assert ready["status"]["endpoint"] == f"http://notes.{namespace}.svc:8080"
    assert ready["status"]["ready"] == "1/1"


def test_applying_the_same_again_writes_nothing(admin: Admin, audit: Audit, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    settled = admin.wait_settled(namespace, "notes", "Ready")

    def again() -> None:
        admin.edit("MeditronDeployment", namespace, "notes", lambda body: None)
        touch(admin, namespace, "notes")

    assert writes_caused(admin, audit, namespace, again) == []
    body = admin.get("MeditronDeployment", namespace, "notes")
    assert body is not None
    assert body["metadata"]["generation"] == settled["metadata"]["generation"]


def test_an_edit_changes_only_what_it_must(admin: Admin, audit: Audit, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    new = [{"namespace": "ward", "podLabels": {"app": "other"}}]

    def edit() -> None:
        admin.patch("MeditronDeployment", namespace, "notes", {"spec": {"network": {"clients": new}}})
        touch(admin, namespace, "notes")

    caused = writes_caused(admin, audit, namespace, edit)
    written = [(request.verb, request.resource, request.name) for request in caused]
    policy = admin.get("NetworkPolicy", namespace, "notes-allow")
    peers = policy["spec"]["ingress"][0]["from"] if policy else []
    assert [peer["podSelector"]["matchLabels"]["app"] for peer in peers] == ["other"]
    assert ("update", "networkpolicies", "notes-allow") in written
    assert {resource for _, resource, _ in written} == {"networkpolicies", "meditrondeployments/status"}
    assert writes_caused(admin, audit, namespace, edit) == []


def test_scaling_goes_through_the_scale_subresource(admin: Admin, audit: Audit, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")

    def scale_to_two() -> None:
        admin.resource("MeditronDeployment").scale.patch(
            name="notes",
            namespace=namespace,
            body={"spec": {"replicas": 2}},
            content_type="application/merge-patch+json",
        )

    scale_to_two()
    scaled = admin.wait(
        "MeditronDeployment", namespace, "notes", lambda body: bool(body and body["status"].get("ready") == "2/2")
    )
    assert scaled is not None
    assert admin.get("PodDisruptionBudget", namespace, "notes") is not None
    scale = admin.resource("MeditronDeployment").scale.get(name="notes", namespace=namespace).to_dict()
    assert scale["status"] == {"replicas": 2, "selector": "meditron.ai/deployment=notes"}
    admin.wait_settled(namespace, "notes", "Ready")
    assert writes_caused(admin, audit, namespace, scale_to_two) == []

    admin.patch("MeditronDeployment", namespace, "notes", {"spec": {"replicas": 1}})
    admin.wait_gone("PodDisruptionBudget", namespace, "notes")
    admin.wait_settled(namespace, "notes", "Ready")


def test_deleting_takes_every_child_along(admin: Admin, audit: Audit, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")

    def delete() -> None:
        admin.delete("MeditronDeployment", namespace, "notes")
        for kind, suffix in (*CHILDREN, ("Pod", "-0")):
            admin.wait_gone(kind, namespace, f"notes{suffix}", 60)

    assert writes_caused(admin, audit, namespace, delete) == []  # nothing is brought back on the way


def test_the_server_stores_children_as_they_were_rendered(admin: Admin, audit: Audit, namespace: str) -> None:
    """Every default is spelled out: the first look after creation finds nothing to change."""
    mark = audit.mark()
    admin.create(deployment("notes", namespace, replicas=2))
    admin.wait_settled(namespace, "notes", "Ready")

    updates = [request for request in audit.writes(mark, namespace) if request.verb == "update"]
    created = [request.resource for request in audit.writes(mark, namespace) if request.verb == "create"]

    assert updates == []
    children = [resource for resource in created if resource != "events"]
    assert sorted(children) == sorted(
        ["networkpolicies"] * 3 + ["services"] * 2 + ["serviceaccounts", "poddisruptionbudgets", "statefulsets"]
    )


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sample_is_accepted_by_the_server(admin: Admin, namespace: str, sample: Path) -> None:
    body = yaml.safe_load(sample.read_text())
    body["metadata"]["namespace"] = namespace

    admin.create(body, **strict(dry_run="All"))


def test_a_deployment_that_cannot_fit_says_why_and_deploys_nothing(admin: Admin, namespace: str) -> None:
    body = yaml.safe_load((SAMPLES / "does-not-fit.yaml").read_text())
    body["metadata"]["namespace"] = namespace
    admin.create(body)

    invalid = admin.wait_phase(namespace, "too-big", "Invalid")

    accepted = condition(invalid, "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "DoesNotFit")
    assert "weights 64.2 GiB" in accepted["message"]
    assert "use 4 GPUs" in accepted["message"]
    assert admin.list("StatefulSet", namespace) == []
