"""Whatever is rendered while `offline` is true could reach nothing outside, and would not try."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.chart.render import template

HERE: Final = Path(__file__).parent
OFFLINE: Final = sorted(file for file in HERE.glob("*.yaml") if file.stem != "online")
SILENT: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "USAGE_STATS": "off",
}
CALLS_OUT: Final = re.compile(
    r"https?://|trust.remote.code|\bcurl\b|\bwget\b|\bpip\b|huggingface\.co|\bhf_transfer\b", re.I
)


def bodies(file: Path) -> list[dict[str, Any]]:
    return [body for body in yaml.safe_load_all(file.read_text()) if body]


def pods(file: Path) -> Iterator[dict[str, Any]]:
    """The specs of all pods that these objects make."""
    for body in bodies(file):
        if "template" in body.get("spec", {}):
            yield body["spec"]["template"]["spec"]


@pytest.mark.parametrize("file", OFFLINE, ids=lambda file: file.stem)
def test_no_pod_holds_anything_that_calls_out(file: Path) -> None:
    found = list(pods(file))
    assert found
    for pod in found:
        assert CALLS_OUT.findall(yaml.safe_dump(pod)) == []
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"] + pod.get("initContainers", []):
            env = {variable["name"]: variable.get("value") for variable in container["env"]}
            assert SILENT.items() <= env.items()
            assert "@sha256:" in container["image"]


def test_no_pod_of_the_chart_does_either() -> None:
    """Operator, guard, drill and the test of Helm: they talk to the API server, and by its address."""
    options = ("--set", "drill.enabled=true,drill.deployment=canary,drill.namespace=canaries")
    found = {
        f"{body['kind']}/{body['metadata']['name']}": pod
        for body in yaml.safe_load_all(template(*options, tests=True))
        if body and (pod := pod_of(body))
    }
    assert set(found) == {
        "Deployment/meditron-operator",
        "Deployment/meditron-guard",
        "CronJob/meditron-drill",
        "Pod/meditron-test",
    }
    for pod in found.values():
        assert CALLS_OUT.findall(yaml.safe_dump(pod)) == []
        assert not pod.get("hostNetwork")
        assert all("@sha256:" in container["image"] for container in pod["containers"])


def pod_of(body: dict[str, Any]) -> dict[str, Any] | None:
    """The spec of the pods that an object of the chart makes or is."""
    match body["kind"]:
        case "Pod":
            return dict(body["spec"])
        case "Deployment":
            return dict(body["spec"]["template"]["spec"])
        case "CronJob":
            return dict(body["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    return None


@pytest.mark.parametrize("file", OFFLINE, ids=lambda file: file.stem)
def test_no_policy_lets_anything_out(file: Path) -> None:
    policies = [body["spec"] for body in bodies(file) if body["kind"] == "NetworkPolicy"]
    assert any(policy["policyTypes"] == ["Ingress", "Egress"] for policy in policies)
    assert not any(policy.get("egress") for policy in policies)
