"""What the chart makes when it is asked for: a drill, a test, an operator for some namespaces."""

from typing import Any

import pytest
import yaml

from meditron_operator.names import GUARD_NAME, NAME_LABEL, OPERATOR_NAME
from tests.chart.objects import found, kinds, rendered
from tests.chart.render import PLACEHOLDER_IMAGE, template

DRILL = ("--set", "drill.enabled=true,drill.deployment=canary,drill.namespace=canaries,drill.timeZone=Europe/Zurich")


def test_a_drill_is_asked_for_and_restricted() -> None:
    assert "CronJob" not in kinds()
    spec = found("CronJob", "meditron-drill", *DRILL)["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 10 1 * *", "Europe/Zurich", "Forbid")
    template = spec["jobTemplate"]["spec"]["template"]
    pod, (container,) = template["spec"], template["spec"]["containers"]
    assert template["metadata"]["labels"][NAME_LABEL] != OPERATOR_NAME  # which the models let in
    assert pod["serviceAccountName"] == found("ServiceAccount", "meditron-drill", *DRILL)["metadata"]["name"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "@sha256:" in container["image"]


@pytest.mark.guarantee("G15")
def test_a_drill_reaches_one_deployment_and_releases_nothing() -> None:
    assert not any(
        body["metadata"]["name"] == "meditron-drill" and "Cluster" in body["kind"] for body in rendered(*DRILL)
    )
    role = found("Role", "meditron-drill", *DRILL)
    assert role["metadata"]["namespace"] == "canaries"
    reach = {(rule["resources"][0], *rule.get("resourceNames", ())): rule["verbs"] for rule in role["rules"]}
    assert reach.pop(("meditrondeployments", "canary")) == ["get", "patch", "switch"]
    assert set(map(tuple, reach.values())) == {("list",)}
    (policy,) = (
        body
        for body in rendered(*DRILL, "--set", "networkPolicy.enabled=true")
        if (body["kind"], body["metadata"]["name"]) == ("NetworkPolicy", "meditron-drill")
    )
    labels = found("CronJob", "meditron-drill", *DRILL)["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    assert [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]] == [443, 6443]


def hooked(*arguments: str) -> dict[str, dict[str, Any]]:
    """What `helm test` makes, by kind."""
    bodies = (body for body in yaml.safe_load_all(template(*arguments, tests=True)) if body)
    return {
        body["kind"]: body for body in bodies if body["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"
    }


def test_the_test_of_helm_is_restricted_and_goes_again() -> None:
    made = hooked()
    assert set(made) == {"ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "Pod"}
    for body in made.values():
        assert body["metadata"]["name"] not in {body["metadata"]["name"] for body in rendered()}
        assert body["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    pod = made["Pod"]["spec"]
    (container,) = pod["containers"]
    assert made["Pod"]["metadata"]["labels"][NAME_LABEL] != OPERATOR_NAME  # which the models let in
    assert made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == made["Pod"]["metadata"]["labels"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["image"] == PLACEHOLDER_IMAGE


@pytest.mark.guarantee("G15")
def test_the_test_of_helm_may_forge_and_nothing_else() -> None:
    """Without the verbs of the switch, and without one that changes what is there."""
    rules = hooked()["Role"]["rules"]
    granted = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert granted == {("deployments", "get"), ("killrecords", "create"), ("meditrondeployments", "create")}
    assert rules[0]["resourceNames"] == [OPERATOR_NAME, GUARD_NAME]


@pytest.mark.parametrize(
    ("off", "argument"), [("guard.enabled=false", "--no-guard"), ("admission.enabled=false", "--no-admission")]
)
def test_the_test_of_helm_asks_for_what_is_installed(off: str, argument: str) -> None:
    (container,) = hooked("--set", off)["Pod"]["spec"]["containers"]
    assert container["args"] == ["check", "--timeout=60", argument]


SOME = ("--set", "watch.namespaces={clinical-ai,research}", "--set", "monitoring.podMonitor.enabled=true")


@pytest.mark.parametrize("namespace", ["clinical-ai", "research"])
def test_with_namespaces_given_the_rights_are_in_them(namespace: str) -> None:
    everywhere = found("ClusterRole", OPERATOR_NAME)["rules"]
    small = found("ClusterRole", OPERATOR_NAME, *SOME)["rules"]
    roles = {
        body["metadata"]["namespace"]: body["rules"]
        for body in rendered(*SOME)
        if body["kind"] == "Role" and body["metadata"]["name"] == f"{OPERATOR_NAME}-serving"
    }
    assert set(roles) == {"clinical-ai", "research"}
    names_ = {"resourceNames": ["clinical-ai", "meditron-system", "research"]}
    assert [rule | names_ if rule["resources"] == ["namespaces"] else rule for rule in everywhere[:2]] == small
    assert roles[namespace] == everywhere[2:]
    assert {rule["resources"][0]: rule["verbs"] for rule in small} == {
        "nodes": ["list", "watch"],
        "namespaces": ["list", "watch"],
    }


def test_with_namespaces_given_nothing_else_of_ours_reaches_further() -> None:
    served = ["clinical-ai", "research"]
    (container,) = found("Deployment", OPERATOR_NAME, *SOME)["spec"]["template"]["spec"]["containers"]
    assert {"name": "MEDITRON_WATCH_NAMESPACES", "value": "clinical-ai research"} in container["env"]
    (peer,) = found("NetworkPolicy", OPERATOR_NAME, *SOME)["spec"]["egress"][1]["to"]
    assert peer["namespaceSelector"]["matchExpressions"][0]["values"] == served
    assert found("PodMonitor", "meditron-engines", *SOME)["spec"]["namespaceSelector"] == {"matchNames": served}
    assert found("ClusterRole", GUARD_NAME, *SOME) == found("ClusterRole", GUARD_NAME)  # a stop reaches everywhere
