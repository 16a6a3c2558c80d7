"""Scanners over everything that is rendered: no finding without a waiver, no waiver without a finding."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.chart.render import BUNDLE, STAMP, template
from tests.ecosystem.scanners import SCANNERS, complaints, misfits
from tests.hardening.waivers import WAIVERS
from tests.testbed.layout import REPOSITORY

EVERYTHING: Final = (
    "monitoring: {podMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}}"
)
OTHERS_KINDS: Final = {"PodMonitor", "PrometheusRule"}
RECIPES: Final = (REPOSITORY / "operator" / "Dockerfile", REPOSITORY / "operator/images/tgi-nonroot/Dockerfile")
GOLDEN: Final = sorted((REPOSITORY / "tests" / "golden").glob("*.yaml"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, the chart with every switch on, the children of each kind of deployment, and the images' recipes."""
    folder = tmp_path_factory.mktemp("rendered")
    values = folder / "values"
    values.write_text(EVERYTHING)
    (folder / "chart.yaml").write_text(template("-f", str(values), "--kube-version", "1.37.0", tests=True))
    for file in (BUNDLE, *GOLDEN):
        (folder / file.name).write_text(file.read_text())
    for recipe in RECIPES:
        (folder / recipe.parent.name).mkdir()
        (folder / recipe.parent.name / recipe.name).write_text(recipe.read_text())
    return folder


@pytest.mark.parametrize("scanner", SCANNERS)
def test_every_finding_has_its_waiver_and_every_waiver_its_finding(scanner: str, rendered: Path) -> None:
    findings = set(SCANNERS[scanner](rendered))
    assert [finding for finding in findings if not any(waiver.covers(finding) for waiver in WAIVERS)] == []
    of_scanner = {(waiver, rule) for waiver in WAIVERS for tool, rule in waiver.rules if tool == scanner}
    needed = {(waiver, found.rule) for waiver in WAIVERS for found in findings if waiver.covers(found)}
    assert of_scanner == needed


@pytest.mark.parametrize(
    ("version", "files"), [("1.30.0", [BUNDLE]), ("1.37.0", [BUNDLE, STAMP, *GOLDEN])], ids=["oldest", "newest"]
)
def test_the_api_of_both_ends_knows_every_field(version: str, files: list[Path], tmp_path: Path) -> None:
    """The oldest Kubernetes that the chart takes, and the newest that it was tested on."""
    objects = [body for file in files for body in yaml.safe_load_all(file.read_text()) if body]
    assert complaints(tmp_path, objects, version) == ""
    assert misfits(tmp_path, objects, version) == ""


def test_every_sample_is_as_its_schema_says(tmp_path: Path) -> None:
    files = sorted((REPOSITORY / "manifests" / "samples").rglob("*.yaml"))
    objects = [body for file in files for body in yaml.safe_load_all(file.read_text()) if body]
    assert "MeditronDeployment" in {body["kind"] for body in objects}
    assert misfits(tmp_path, objects, "1.37.0") == ""


def test_an_unknown_field_is_found(tmp_path: Path) -> None:
    wrong = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}, "mistake": True}
    assert "mistake" in misfits(tmp_path, [wrong], "1.37.0")


def test_nothing_is_rendered_for_a_kind_that_nobody_knows(rendered: Path, tmp_path: Path) -> None:
    everything: list[dict[str, Any]] = [
        body for body in yaml.safe_load_all((rendered / "chart.yaml").read_text()) if body
    ]
    assert {body["kind"] for body in everything} >= OTHERS_KINDS
    known = [body for body in everything if body["kind"] not in OTHERS_KINDS]
    assert complaints(tmp_path, known, "1.37.0") == ""
