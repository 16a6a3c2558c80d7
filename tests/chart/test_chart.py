"""The chart renders, refuses what it doesn't know, and everything made from it is up to date."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from meditron_operator import names
from meditron_operator.names import OPERATOR_NAME
from tests.chart.render import CHART, generated, template
from tests.testbed.programs import find


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: Path) -> None:
    assert path.read_text() == generated()[path], "run `make manifests`"


def test_helm_finds_nothing_to_complain_about() -> None:
    command = [str(find("helm")), "lint", "--strict", str(CHART), "--set", f"image.reference=x@sha256:{'0' * 64}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("image.reference=", "image.reference: the operator's image"),
        ("image.reference=repo/operator:latest", "does not match pattern"),
        ("engine.image=tgi:3.3.7", "does not match pattern"),
        ("imagee.reference=x", "additional properties 'imagee' not allowed"),
        ("admission.enabled=maybe", "want boolean"),
        ("admission.recordRetentionDays=0", "minimum: got 0, want 1"),
        ("workers=0", "minimum: got 0, want 1"),
        ("logLevel=verbose", "value must be one of"),
    ],
)
def test_wrong_values_are_refused(setting: str, complaint: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        template("--set", setting)
    assert complaint in refused.value.stderr


def test_the_pod_is_restricted_and_the_image_pinned() -> None:
    (deployment,) = [body for body in rendered() if body["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "@sha256:" in container["image"]


def test_the_role_grants_no_more_than_it_says() -> None:
    (role,) = [
        body for body in rendered() if (body["kind"], body["metadata"]["name"]) == ("ClusterRole", OPERATOR_NAME)
    ]
    granted = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert not any("*" in word for pair in granted for word in pair)
    resources = {resource for resource, _ in granted}
    assert resources.isdisjoint({"secrets", "pods/exec", "configmaps", "clusterroles"})
    assert {resource for resource, verb in granted if verb == "delete"} == {"networkpolicies", "poddisruptionbudgets"}
    for looked_at in ("meditrondeployments", "namespaces"):
        assert {verb for resource, verb in granted if resource == looked_at} == {"list", "watch"}


def test_the_guard_holds_no_verb_of_a_release() -> None:
    (role,) = [body for body in rendered() if body["metadata"]["name"] == "meditron-guard-records" and "rules" in body]
    granted = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert not any("*" in word for pair in granted for word in pair)
    assert {verb for resource, verb in granted if resource == "meditrondeployments"} == {"get", "patch", "switch"}
    assert {verb for resource, verb in granted if resource == "killrecords"} == {"get", "list", "watch", "create"}


def kinds(*arguments: str) -> set[str]:
    return {body["kind"] for body in yaml.safe_load_all(template(*arguments)) if body}


def test_the_policies_and_the_roles_can_be_left_out() -> None:
    off = kinds("--set", "admission.enabled=false", "--kube-version", "1.37.0")
    assert {kind for kind in off if "AdmissionPolicy" in kind} == set()
    without = yaml.safe_load_all(template("--set", "roles.enabled=false"))
    left = {body["metadata"]["name"] for body in without if body and body["kind"] == "ClusterRole"}
    assert left == {OPERATOR_NAME, "meditron-guard-records"}


@pytest.mark.parametrize(
    ("version", "stamps"), [("1.30.0", False), ("1.35.9", False), ("1.36.0", True), ("1.37.2-gke.1", True)]
)
def test_the_stamp_is_for_servers_that_know_it(version: str, stamps: bool) -> None:
    found = kinds("--kube-version", version)
    assert ("MutatingAdmissionPolicy" in found) is stamps
    assert "ValidatingAdmissionPolicy" in found


@pytest.mark.parametrize("name", ["KILL_SWITCH", "KILL_REASON", "KILL_TICKET", "KILLED_BY", "RELEASE_REQUESTED_BY",
                                  "RELEASE_REQUESTED_AT", "RELEASE_APPROVED_BY", "RESUME"])  # fmt: skip
def test_the_policies_know_every_annotation(name: str) -> None:
    """Of `names`: one that is missing there would be refused as unknown."""
    assert f"'{getattr(names, name)}'" in (CHART / "templates" / "_admission.tpl").read_text()


def rendered() -> list[dict[str, Any]]:
    """The chart's objects with its defaults."""
    return [body for body in yaml.safe_load_all(template()) if body]


def test_the_operators_own_policy_is_asked_for() -> None:
    def policies(*settings: str) -> list[dict[str, Any]]:
        options = [word for setting in settings for word in ("--set", setting)]
        return [body for body in yaml.safe_load_all(template(*options)) if body and body["kind"] == "NetworkPolicy"]

    assert policies() == []
    (policy,) = policies("networkPolicy.enabled=true")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy["spec"]  # nobody
    assert [port["port"] for port in policy["spec"]["egress"][0]["ports"]] == [443, 6443]
    peers = "networkPolicy.monitoring[0].podSelector.matchLabels.app=prometheus"
    (policy,) = policies("networkPolicy.enabled=true", peers)
    assert policy["spec"]["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
            "ports": [{"port": "health", "protocol": "TCP"}],
        }
    ]
