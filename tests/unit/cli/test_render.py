"""`meditron render`: the operator's own children, before there is a cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden.test_golden import CASES, HERE
from tests.unit.cli.running import meditron
from tests.unit.kit import IMAGE

SAMPLES = sorted(
    path
    for path in Path("manifests/samples").glob("*.yaml")
    if path.stem != "does-not-fit" and not path.stem.endswith("-auto")
)


def deployment(case: str, folder: Path, **metadata: str) -> Path:
    """A golden input as a manifest."""
    given = yaml.safe_load((HERE / "inputs" / f"{case}.yaml").read_text())
    body = {"apiVersion": "meditron.ai/v1alpha1", "kind": "MeditronDeployment", **given}
    body["metadata"] |= {"namespace": "clinical-ai"} | metadata
    nodes = body.pop("nodes", [])
    path = folder / "md.yaml"
    path.write_text(yaml.safe_dump(body))
    if nodes:
        listed = [{"apiVersion": "v1", "kind": "Node", **node} for node in nodes]
        (folder / "nodes.yaml").write_text(yaml.safe_dump_all(listed))
    return path


def nodes_of(folder: Path) -> list[str]:
    """The option that names them, for a case that has some."""
    return ["--nodes", str(folder / "nodes.yaml")] if (folder / "nodes.yaml").exists() else []


def without_owner(child: dict[str, Any]) -> dict[str, Any]:
    del child["metadata"]["ownerReferences"]
    return child


@pytest.mark.parametrize("case", CASES)
def test_it_prints_what_the_operator_makes(case: str, tmp_path: Path) -> None:
    path = deployment(case, tmp_path)
    done = meditron("render", "-f", str(path), *nodes_of(tmp_path))
    assert done.code == 0
    expected = [without_owner(child) for child in yaml.safe_load_all((HERE / f"{case}.yaml").read_text())]
    assert list(yaml.safe_load_all(done.out)) == expected


def test_an_object_from_the_cluster_has_its_owner(tmp_path: Path) -> None:
    path = deployment("7b-1xl4", tmp_path, uid="00000000-0000-4000-8000-000000000000")
    rendered = list(yaml.safe_load_all(meditron("render", "-f", str(path)).out))
    assert rendered == list(yaml.safe_load_all((HERE / "7b-1xl4.yaml").read_text()))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_renders(sample: Path) -> None:
    done = meditron("render", "-f", str(sample))
    kinds = [child["kind"] for child in yaml.safe_load_all(done.out)]
    assert done.code == 0
    assert "StatefulSet" in kinds
    assert done.out == meditron("render", "-f", "-", stdin=sample.read_text()).out


def test_what_an_installation_decides_is_an_option() -> None:
    text = SAMPLES[0].read_text()
    lines = [line for line in text.splitlines() if not line.strip().startswith(("image:", "engine:"))]
    given = "\n".join(lines).replace("namespace: clinical-ai", "labels: {}", 1)
    done = meditron(
        "render", "-f", "-", "-n", "ward", "--operator-namespace", "ops", "--engine-image", IMAGE, stdin=given
    )
    children = {child["metadata"]["name"]: child for child in yaml.safe_load_all(done.out)}
    assert {child["metadata"]["namespace"] for child in children.values()} == {"ward"}
    operate = next(child for name, child in children.items() if name.endswith("-operate"))
    (peer,) = operate["spec"]["ingress"][0]["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ops"}
    workload = next(child for child in children.values() if child["kind"] == "StatefulSet")
    assert workload["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE


def test_several_in_one_file_and_other_kinds_between(tmp_path: Path) -> None:
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    path = tmp_path / "all.yaml"
    path.write_text("---\n".join([SAMPLES[0].read_text(), other, SAMPLES[-1].read_text()]))
    kinds = [child["kind"] for child in yaml.safe_load_all(meditron("render", "-f", str(path)).out)]
    assert kinds.count("StatefulSet") == 2
    assert "ConfigMap" not in kinds


def test_what_does_not_fit_is_said_and_the_rest_is_rendered(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    bad = Path("manifests/samples/does-not-fit.yaml").read_text()
    path.write_text("---\n".join([bad, SAMPLES[0].read_text()]))
    done = meditron("render", "-f", str(path))
    assert done.code == 1
    assert "too-big: meditron-70b 16-bit does not fit on 2 x A100-40GB" in done.err
    assert "StatefulSet" in done.out
