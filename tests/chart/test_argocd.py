"""manifests/argocd/: the projects allow what the chart renders, and nothing that a ward must not bring."""

from typing import Any, Final

import pytest
import yaml

from tests.chart.render import BUNDLE, ROOT, STAMP

Manifest = dict[str, Any]

ARGOCD: Final = ROOT / "manifests" / "argocd"
CLUSTER_WIDE: Final = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "FlowSchema",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "Namespace",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)


def objects(kind: str) -> dict[str, Manifest]:
    """By name."""
    documents = (each for file in sorted(ARGOCD.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text()))
    return {each["metadata"]["name"]: each for each in documents if each["kind"] == kind}


@pytest.fixture(scope="module")
def rendered() -> list[tuple[str, str]]:
    """Group and kind of everything that the chart renders."""
    documents = [each for file in (BUNDLE, STAMP) for each in yaml.safe_load_all(file.read_text()) if each]
    return sorted({(each["apiVersion"].rpartition("/")[0].split("/")[0], each["kind"]) for each in documents})


def test_the_operators_project_allows_what_the_chart_renders(rendered: list[tuple[str, str]]) -> None:
    allowed = objects("AppProject")["meditron-operator"]["spec"]["clusterResourceWhitelist"]
    wanted = [each for each in rendered if each[1] in CLUSTER_WIDE]
    assert len(wanted) > 5
    assert {(each["group"], each["kind"]) for each in allowed} >= set(wanted)


def test_no_project_allows_everything() -> None:
    for project in objects("AppProject").values():
        spec = project["spec"]
        assert "*" not in [each["kind"] for each in spec["clusterResourceWhitelist"]]
        assert all("*" not in each["namespace"] for each in spec["destinations"])
        assert "*" not in spec["sourceRepos"]


def test_no_application_replaces_and_the_operators_prunes_nothing() -> None:
    applications = objects("Application")
    for application in applications.values():
        options = application["spec"]["syncPolicy"]["syncOptions"]
        assert not {"Replace=true", "Force=true"} & set(options)
        assert "finalizers" not in application["metadata"]
        assert application["spec"]["syncPolicy"]["retry"]["limit"] == -1
    assert applications["meditron-operator"]["spec"]["syncPolicy"]["automated"]["prune"] is False
