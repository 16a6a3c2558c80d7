"""The chart renders, refuses what it doesn't know, and everything made from it is up to date."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from meditron_operator import names
from meditron_operator.names import ENGINE_PORT, GUARD_NAME, NAME_LABEL, OPERATOR_NAME
from tests.chart.objects import found, kinds, rendered
from tests.chart.render import CHART, PLACEHOLDER_IMAGE, generated, template
from tests.chart.wrong_values import WRONG
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
        ("drill.enabled=true", "drill.deployment: the MeditronDeployment to be drilled"),
        ("drill.enabled=true,drill.deployment=canary", "drill.namespace: where that"),
        ("drill.enabled=true,drill.deployment=c,drill.namespace=meditron-system", "not the operator's namespace"),
    ],
)
def test_what_is_missing_is_named(setting: str, complaint: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        template("--set", setting)
    assert complaint in refused.value.stderr


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused_by_their_key(name: str, tmp_path: Path) -> None:
    values, key = WRONG[name]
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(with_image(yaml.safe_load(values))))
    command = [str(find("helm")), "template", str(CHART), "-f", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    (complaint,) = [line for line in done.stderr.splitlines() if key in line and "values.schema.json" not in line]
    assert re.search(rf"{re.escape(key)}['/:]", complaint), done.stderr


def with_image(values: dict[str, Any]) -> dict[str, Any]:
    """So that nothing else is wrong with them."""
    return {"image": {"reference": PLACEHOLDER_IMAGE}} | values


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        (OPERATOR_NAME, {"type": "Recreate"}),
        (GUARD_NAME, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}),
    ],
)
def test_the_pods_are_restricted_and_the_image_pinned(name: str, strategy: dict[str, Any]) -> None:
    deployment = found("Deployment", name)
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["spec"]["strategy"] == strategy
    assert pod["serviceAccountName"] == name
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "@sha256:" in container["image"]


def granted_to(name: str) -> set[tuple[str, str]]:
    """(resource, verb) of a ClusterRole."""
    rules = found("ClusterRole", name)["rules"]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def test_the_guard_can_make_nothing_and_change_little() -> None:
    granted = granted_to(GUARD_NAME)
    assert {verb for _, verb in granted} == {"get", "list", "watch", "patch", "delete"}
    changed = {resource for resource, verb in granted if verb == "patch"}
    assert changed == {"meditrondeployments/status", "pods/status", "statefulsets/scale", "scaledobjects"}
    assert {resource for resource, verb in granted if verb == "delete"} == {"pods", "networkpolicies"}


def test_operator_and_guard_share_the_name_that_engines_let_in_and_nothing_else() -> None:
    """A Deployment that selected the other's pods would take them for its own."""
    pods = {name: found("Deployment", name)["spec"] for name in (OPERATOR_NAME, GUARD_NAME)}
    for name, spec in pods.items():
        labels = spec["template"]["metadata"]["labels"]
        assert labels[NAME_LABEL] == OPERATOR_NAME
        for other, its in pods.items():
            assert (its["selector"]["matchLabels"].items() <= labels.items()) is (name == other)
    budget = found("PodDisruptionBudget", GUARD_NAME)["spec"]
    assert budget["selector"] == pods[GUARD_NAME]["selector"]
    assert budget["maxUnavailable"] == 1  # and a single guard is no bar to draining its node


def test_the_guards_requests_have_a_place_of_their_own() -> None:
    schema, level = found("FlowSchema", GUARD_NAME)["spec"], found("PriorityLevelConfiguration", GUARD_NAME)
    assert schema["priorityLevelConfiguration"]["name"] == level["metadata"]["name"]
    (subject,) = schema["rules"][0]["subjects"]
    assert subject["serviceAccount"] == {"name": GUARD_NAME, "namespace": "meditron-system"}


def test_the_guard_can_be_left_out() -> None:
    bodies = [body for body in yaml.safe_load_all(template("--set", "guard.enabled=false")) if body]
    assert [body for body in bodies if body["metadata"]["name"] == GUARD_NAME] == []


def test_the_role_grants_no_more_than_it_says() -> None:
    granted = granted_to(OPERATOR_NAME)
    assert not any("*" in word for pair in granted for word in pair)
    resources = {resource for resource, _ in granted}
    assert resources.isdisjoint({"secrets", "pods/exec", "configmaps", "clusterroles"})
    deleted = {resource for resource, verb in granted if verb == "delete"}
    assert deleted == {"networkpolicies", "poddisruptionbudgets", "pods"}
    for looked_at in ("meditrondeployments", "namespaces"):
        assert {verb for resource, verb in granted if resource == looked_at} == {"list", "watch"}


@pytest.mark.guarantee("G15")
def test_the_guard_holds_no_verb_of_a_release() -> None:
    granted = granted_to(f"{GUARD_NAME}-records")
    assert not any("*" in word for pair in granted for word in pair)
    assert {verb for resource, verb in granted if resource == "meditrondeployments"} == {"get", "patch", "switch"}
    assert {verb for resource, verb in granted if resource == "killrecords"} == {"get", "list", "watch", "create"}


def test_the_policies_and_the_roles_can_be_left_out() -> None:
    off = kinds("--set", "admission.enabled=false", "--kube-version", "1.37.0")
    assert {kind for kind in off if "AdmissionPolicy" in kind} == set()
    without = yaml.safe_load_all(template("--set", "roles.enabled=false"))
    left = {body["metadata"]["name"] for body in without if body and body["kind"] == "ClusterRole"}
    assert left == {OPERATOR_NAME, GUARD_NAME, f"{GUARD_NAME}-records"}


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


def policies(*settings: str) -> dict[str, Any]:
    """The NetworkPolicies of the chart, by name."""
    options = [word for setting in settings for word in ("--set", setting)]
    bodies = (body for body in yaml.safe_load_all(template(*options)) if body and body["kind"] == "NetworkPolicy")
    return {body["metadata"]["name"]: body["spec"] for body in bodies}


def test_our_own_policies_keep_to_what_is_needed() -> None:
    assert policies("networkPolicy.enabled=false") == {}
    assert set(policies("guard.enabled=false")) == {OPERATOR_NAME}
    both = policies()
    assert set(both) == {OPERATOR_NAME, GUARD_NAME}
    for name, policy in both.items():
        assert policy["podSelector"] == found("Deployment", name)["spec"]["selector"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert "ingress" not in policy  # nobody
        assert [port["port"] for port in policy["egress"][0]["ports"]] == [443, 6443]
        assert [port["port"] for port in policy["egress"][1]["ports"]] == [ENGINE_PORT]
    peers = "networkPolicy.monitoring[0].podSelector.matchLabels.app=prometheus"
    for policy in policies(peers).values():
        assert policy["ingress"] == [
            {
                "from": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
                "ports": [{"port": "health", "protocol": "TCP"}],
            }
        ]


def test_the_guard_may_ask_where_an_engine_was() -> None:
    """Else the silence that it takes for proof would be its own policy's."""
    assert "to" not in policies()[GUARD_NAME]["egress"][1]
    assert policies()[OPERATOR_NAME]["egress"][1]["to"]


@pytest.mark.guarantee("G3", "K1", "K3", "K4")
def test_no_webhook_stands_in_the_way_of_a_stop() -> None:
    assert not {kind for kind in kinds("--kube-version", "1.37.0") if "Webhook" in kind}


@pytest.mark.guarantee("G3")
def test_a_stop_depends_on_no_kind_of_ours() -> None:
    """The API server refuses what a policy matches until it has learnt of the kind of its parameters: for up to half
    a minute after our installation. An annotation that stops a model, and the deletion of its pods, can't wait."""
    stops = {("meditrondeployments", "UPDATE"), ("namespaces", "UPDATE"), ("pods", "DELETE"), ("pods/status", "UPDATE")}
    measures = {("statefulsets", "UPDATE"), ("networkpolicies", "DELETE")}
    parametrized = [body for body in rendered() if body.get("spec", {}).get("paramKind", {}).get("kind") == names.KIND]
    assert len(parametrized) > 3
    for body in parametrized:
        for rule in body["spec"]["matchConstraints"]["resourceRules"]:
            matched = {(resource, verb) for resource in rule["resources"] for verb in rule["operations"]}
            assert not matched & stops, body["metadata"]["name"]
            assert not matched & measures or body["spec"]["failurePolicy"] == "Ignore", body["metadata"]["name"]
