"""`--nodes`: the operator's choice among a cluster's cards, without the cluster."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.testbed.nodes import node_manifests, parse_nodes
from tests.unit.cli.running import Done, meditron

SAMPLE = Path("manifests/samples/meditron-70b-gptq-auto.yaml")


def listed(folder: Path, nodes: str, *others: dict[str, Any]) -> str:
    """A file as `kubectl get nodes,pods -A -o json` writes it."""
    items = [*({"spec": {}} | node for node in node_manifests(parse_nodes(nodes))), *others]
    path = folder / "nodes.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return str(path)


def holder(node: str, gpus: int) -> dict[str, Any]:
    """A pod of somebody else."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "lab", "name": "training", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}],
        },
        "status": {"phase": "Running"},
    }  # fmt: skip


def planned(nodes: str, *words: str) -> Done:
    return meditron("plan", "-f", str(SAMPLE), "--nodes", nodes, *words)


def test_the_card_is_chosen_and_the_others_are_told_why(tmp_path: Path) -> None:
    done = planned(listed(tmp_path, "A100-80GB:8:1,L40S:4:1,T4:4:1"), "-o", "json")
    choice = done.json["choice"]
    assert done.code == 0
    assert choice["gpuType"] == "A100-80GB"
    assert [each["gpuType"] for each in choice["runnersUp"]] == ["L40S"]
    assert [each["gpuType"] for each in choice["refusals"]] == ["T4"]
    assert done.json["fits"] is True


def test_pods_that_hold_the_gpus_count(tmp_path: Path) -> None:
    nodes = listed(tmp_path, "A100-80GB:8:1,L40S:4:1", holder("a100-80gb-0", 8))
    assert planned(nodes, "-o", "json").json["choice"]["gpuType"] == "L40S"


def test_the_table_tells_the_choice_first(tmp_path: Path) -> None:
    done = planned(listed(tmp_path, "A100-80GB:8:1,L40S:4:1,T4:4:1"))
    first, second, *_ = done.out.splitlines()
    assert first.startswith("Chosen: 1 x A100-80GB per replica (standard)")
    assert second.startswith("Next: 2 x L40S per replica")
    assert "Not T4: " in done.out
    assert "Fits: 1 x A100-80GB a replica" in done.out


def test_no_card_will_do(tmp_path: Path) -> None:
    nodes = listed(tmp_path, "T4:4:1")
    done = planned(nodes)
    assert done.code == 1
    assert done.out.startswith("No card of these nodes will do.\nNot T4: meditron-70b gptq does not fit on 1 x T4")
    answer = planned(nodes, "-o", "json").json
    assert (answer["fits"], answer["refusals"][0]["gpuType"]) == (False, "T4")


def test_options_ask_the_same(tmp_path: Path) -> None:
    nodes = listed(tmp_path, "A100-80GB:8:1,L40S:4:1")
    words = ["-m", "meditron-70b", "-q", "gptq", "--concurrency", "4", "--gpu", "auto", "-o", "json", "--nodes"]
    assert meditron("plan", *words, nodes).json["choice"] == planned(nodes, "-o", "json").json["choice"]


def test_without_nodes_auto_is_the_matrix() -> None:
    assert "A100-40GB" in meditron("plan", "-f", str(SAMPLE)).out


def test_render_needs_them_too(tmp_path: Path) -> None:
    line = meditron("render", "-f", str(SAMPLE)).refused()
    assert "name the nodes to choose from with --nodes" in line
    done = meditron("render", "-f", str(SAMPLE), "--nodes", listed(tmp_path, "L40S:4:1"))
    workload = next(child for child in yaml.safe_load_all(done.out) if child["kind"] == "StatefulSet")
    assert workload["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Pod", "holds no Node; write it with: kubectl get nodes,pods -A -o json"),
        ("kind: Node", "holds a Node that no API server wrote"),
        ("kind: Node\nmetadata: {name: n}\nspec: 7", "holds a Node that no API server wrote"),
        (
            "kind: Node\nmetadata: {name: n}\nspec: {}\nstatus: {allocatable: {nvidia.com/gpu: lots}}",
            "holds a Node that no API server wrote",
        ),
        ("kind: Node\nmetadata: {name: n}\nspec: {}\n---\nkind: Pod", "holds a Pod that no API server wrote"),
    ],
)
def test_files_that_hold_no_nodes(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "nodes.yaml"
    path.write_text(text)
    assert says in planned(str(path)).refused()


def test_nodes_beside_a_card_are_a_mistake(tmp_path: Path) -> None:
    nodes = listed(tmp_path, "L4:1:1")
    line = meditron("plan", "-m", "meditron-7b", "--gpu", "L4", "--nodes", nodes).refused()
    assert "--nodes: only where the card is to be chosen" in line
