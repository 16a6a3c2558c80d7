"""What the chart's switches turn on, and that alerts and dashboard ask for figures that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from meditron_operator.names import GUARD_NAME, OPERATOR_NAME
from meditron_operator.shell.guard.metrics import GuardMetrics
from meditron_operator.shell.metrics import Metrics
from tests.chart.render import DASHBOARD, template
from tests.doubles.tgi import metrics as tgi

ON: Final = """
monitoring:
  podMonitor: {enabled: true, labels: {release: prometheus}, interval: 10s}
  prometheusRule: {enabled: true, labels: {role: alerts}}
  dashboard: {enabled: true}
priorityClassName: ours
imagePullSecrets: [{name: registry}]
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: infra, operator: Exists, effect: NoSchedule}]
podAnnotations: {a: b}
"""
SUFFIXES: Final = re.compile(r"_(bucket|count|sum|total)$")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The chart with everything on."""
    values: Path = tmp_path_factory.mktemp("values") / "values.yaml"
    values.write_text(ON)
    return [body for body in yaml.safe_load_all(template("-f", str(values))) if body]


def of_kind(bodies: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {body["metadata"]["name"]: body for body in bodies if body["kind"] == kind}


def test_nothing_of_others_is_asked_for_unless_it_is_turned_on() -> None:
    bodies = [body for body in yaml.safe_load_all(template()) if body]
    kinds = {body["kind"] for body in bodies}
    assert kinds.isdisjoint({"PodMonitor", "ServiceMonitor", "PrometheusRule", "ConfigMap", "Secret"})
    (priority,) = of_kind(bodies, "PriorityClass").values()
    assert priority["value"] <= 1_000_000_000  # what is above is the cluster's own
    for deployment in of_kind(bodies, "Deployment").values():
        assert deployment["spec"]["template"]["spec"]["priorityClassName"] == priority["metadata"]["name"]


def test_both_pods_go_where_they_are_told_to(everything: list[dict[str, Any]]) -> None:
    assert of_kind(everything, "PriorityClass") == {}
    deployments = of_kind(everything, "Deployment")
    assert set(deployments) == {OPERATOR_NAME, GUARD_NAME}
    for deployment in deployments.values():
        template_ = deployment["spec"]["template"]
        pod = template_["spec"]
        assert template_["metadata"]["annotations"] == {"a": "b"}
        assert pod["priorityClassName"] == "ours"
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert pod["tolerations"] == [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}]


def test_prometheus_finds_pods_that_are_there(everything: list[dict[str, Any]]) -> None:
    ours = of_kind(everything, "PodMonitor")[OPERATOR_NAME]
    assert ours["metadata"]["labels"]["release"] == "prometheus"
    assert [endpoint["interval"] for endpoint in ours["spec"]["podMetricsEndpoints"]] == ["10s"]
    wanted = ours["spec"]["selector"]["matchLabels"].items()
    for deployment in of_kind(everything, "Deployment").values():
        template_ = deployment["spec"]["template"]
        assert wanted <= template_["metadata"]["labels"].items()
        ports = [port["name"] for port in template_["spec"]["containers"][0]["ports"]]
        assert ports == [endpoint["port"] for endpoint in ours["spec"]["podMetricsEndpoints"]]


def figures() -> set[str]:
    """Every figure that operator, guard and engine have, without the suffixes of counters and histograms."""
    texts = (Metrics().text(), GuardMetrics(dict).text())
    own = {name for text in texts for name in re.findall(r"^# TYPE (\S+)", text.decode(), re.MULTILINE)}
    return {SUFFIXES.sub("", name) for name in own} | set(tgi.HELP)


def asked_for(expressions: Iterator[str]) -> set[str]:
    names = {name for text in expressions for name in re.findall(r"\b(?:meditron|tgi)_[a-z_]+", text)}
    return {SUFFIXES.sub("", name) for name in names} - {"meditron_ai_deployment"}  # a label of pods


def test_alerts_and_dashboard_ask_for_figures_that_exist(everything: list[dict[str, Any]]) -> None:
    (rules,) = of_kind(everything, "PrometheusRule").values()
    alerts = [alert for group in rules["spec"]["groups"] for alert in group["rules"]]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = (target["expr"] for panel in panels for target in panel["targets"])
    assert asked_for(alert["expr"] for alert in alerts) <= figures()
    assert asked_for(queries) <= figures()


def test_every_alert_is_in_the_document(everything: list[dict[str, Any]]) -> None:
    (rules,) = of_kind(everything, "PrometheusRule").values()
    alerts = [alert for group in rules["spec"]["groups"] for alert in group["rules"]]
    told = (DASHBOARD.parents[2] / "docs" / "install.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| (Meditron\w+) \| (\w+) \|", told, re.MULTILINE)) == {
        alert["alert"]: alert["labels"]["severity"] for alert in alerts
    }
    for alert in alerts:
        assert set(alert["annotations"]) == {"summary", "description"}


def test_the_dashboard_is_the_one_of_the_manifests(everything: list[dict[str, Any]]) -> None:
    (dashboard,) = of_kind(everything, "ConfigMap").values()
    assert json.loads(dashboard["data"]["meditron.json"]) == json.loads(DASHBOARD.read_text())
