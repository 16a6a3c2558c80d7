"""What Argo CD made of manifests/argocd/, after the walkthrough of docs/gitops.md (fixture `argo`)."""

from typing import Final

import pytest

from meditron_operator import names
from tests.cluster.people import engage, release, resume
from tests.cluster.support import BEGINNING, OPERATOR_USER, Admin, Audit, Manifest
from tests.ecosystem.argocd.argo import Argo, Repository
from tests.ecosystem.argocd.conftest import OPERATOR, WARD
from tests.testbed.install import NAMESPACE

pytestmark = pytest.mark.cluster

MODELS = "meditron-models"
POLICY = "meditron-latch-deployments"


@pytest.mark.parametrize("plural", [names.PLURAL, names.RECORD_PLURAL])
def test_our_kinds_are_known_before_anything_else_is_made(admin: Admin, argo: Argo, plural: str) -> None:
    """Else Argo CD may look in between, calls the definition Degraded, and looks again after minutes only."""
    definition = admin.get("CustomResourceDefinition", None, f"{plural}.{names.GROUP}")
    operator = admin.get("Deployment", NAMESPACE, names.OPERATOR_NAME)
    assert definition is not None
    assert operator is not None

    known = next(each for each in definition["status"]["conditions"] if each["type"] == "Established")
    assert known["lastTransitionTime"] < operator["metadata"]["creationTimestamp"]


def test_a_policy_that_somebody_deletes_is_put_back(admin: Admin, argo: Argo) -> None:
    before = admin.get("ValidatingAdmissionPolicy", None, POLICY)
    assert before is not None

    admin.delete("ValidatingAdmissionPolicy", None, POLICY)

    def again(body: Manifest | None) -> bool:
        return body is not None and body["metadata"]["uid"] != before["metadata"]["uid"]

    admin.wait("ValidatingAdmissionPolicy", None, POLICY, again)


def stray(kind: str, version: str = "v1", **body: Manifest) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "stray"}, **body}


STRAYS: Final = [
    stray("Pod", spec={"containers": [{"name": "engine", "image": "registry.example.com/tgi"}]}),
    stray("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {}, "ingress": [{}]}),
    stray("KillRecord", names.API_VERSION, spec={}),
    stray("Namespace"),
]


def test_a_commit_brings_models_and_nothing_else(argo: Argo, repository: Repository) -> None:
    commit = repository.commit({"models/stray.yaml": STRAYS})
    argo.look(MODELS)

    for each in STRAYS:
        argo.wait_refused(MODELS, commit, f":{each['kind']} is not permitted in project {MODELS}")
    commit = repository.commit({"models/stray.yaml": []})
    argo.wait_synced(MODELS, commit)


@pytest.mark.guarantee("G2", "G5")
def test_the_switch_of_the_whole_cluster_outlasts_a_new_version_of_the_operator(admin: Admin, argo: Argo) -> None:
    """Argo CD writes the labels of the operator's namespace, which carries the annotation."""
    engage(admin, None, NAMESPACE, kind="Namespace")
    admin.wait_phase(WARD, "triage-helper", "Stopped")
    argo.wait_health(MODELS, "Suspended")
    before = argo.get(OPERATOR)["status"]["history"][-1]["id"]

    values = argo.get(OPERATOR)["spec"]["source"]["helm"]["valuesObject"]
    source = {"source": {"helm": {"valuesObject": {**values, "logLevel": "debug"}}}}
    admin.patch("Application", "argocd", OPERATOR, {"spec": source})
    argo.look(OPERATOR)

    argo.wait(OPERATOR, lambda body: body["status"]["history"][-1]["id"] > before)
    told = admin.get("Namespace", None, NAMESPACE)
    assert told is not None
    assert told["metadata"]["annotations"][names.KILL_SWITCH] == "halt"
    assert told["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    admin.wait_phase(WARD, "triage-helper", "Stopped")
    release(admin, None, NAMESPACE, kind="Namespace")
    resume(admin, None, NAMESPACE, kind="Namespace")
    argo.wait_health(MODELS, "Healthy")


def test_nothing_of_ours_writes_what_git_asks_for(argo: Argo, audit: Audit) -> None:
    """Of the deployments it writes the status only: Argo CD has nothing to put back."""
    written = {each.resource for each in audit.since(BEGINNING, OPERATOR_USER) if each.writes}
    assert "meditrondeployments/status" in written
    assert names.PLURAL not in written


def test_what_helm_test_makes_is_for_helm_alone(admin: Admin, argo: Argo) -> None:
    """Argo CD reads its annotation too, and knows no such hook."""
    argo.wait_health(OPERATOR, "Healthy")
    for kind in ("Pod", "ServiceAccount", "Role"):
        assert admin.get(kind, NAMESPACE, "meditron-test") is None
