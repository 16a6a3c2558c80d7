"""The testbed without a cluster: nodes from their text, command lines, kubeconfigs, finding and building programs."""

import base64
from pathlib import Path

import pytest
import yaml

from meditron_operator.core.catalog.gpus import GPUS, Gpu
from tests.testbed import commands, enginelogs
from tests.testbed.cli import ProgramName
from tests.testbed.errors import TestbedError
from tests.testbed.install import without_deployments
from tests.testbed.layout import Layout, Ports, allot_ports
from tests.testbed.node.commands import NODE_PROGRAMS
from tests.testbed.nodes import DEFAULT_NODES, gpu_labels, node_manifests, parse_nodes
from tests.testbed.pki import kubeconfig
from tests.testbed.programs import find, parse_version

PORTS = Ports(*range(1, 17))
LAYOUT = Layout(Path("/bed"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("L4:1", [("L4", 1, 1)]),
        ("A100-80GB:8:3, A100-40GB:4:2", [("A100-80GB", 8, 3), ("A100-40GB", 4, 2)]),
    ],
)
def test_nodes_are_read(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert [(group.gpu.name, group.cards, group.count) for group in parse_nodes(text)] == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("A100-80GB", "'A100-80GB' is not understood"),
        ("A100-80GB:eight", "is not understood"),
        ("A100-80GB:8:1:1", "is not understood"),
        ("L4:1,", "'' is not understood"),
        ("L4:-1", "is not understood"),
        ("A100:8:1", "unknown GPU type 'A100'; known: A100-40GB, A100-80GB,"),
        ("L4:0", "1 to 16 cards"),
        ("L4:17", "1 to 16 cards"),
        ("L4:1:0", "1 to 5000 nodes"),
        ("L4:1:5001", "1 to 5000 nodes"),
    ],
)
def test_a_mistake_is_named_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(TestbedError) as mistake:
        parse_nodes(text)
    assert complaint in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_the_default_nodes_are_valid() -> None:
    assert sum(group.count for group in parse_nodes(DEFAULT_NODES)) == 4


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
def test_every_card_can_be_found_by_its_labels(gpu: Gpu) -> None:
    labels = gpu_labels(gpu, 8)
    assert labels[gpu.product_label] == gpu.products[0]
    vendors = {"amd.com"} if gpu.compute_capability is None else {"nvidia.com"}
    assert {label.split("/")[0] for label in labels} == vendors
    assert all(len(value) <= 63 for value in labels.values())


def test_labels_of_an_a100_are_those_of_gpu_feature_discovery() -> None:
    assert gpu_labels(GPUS["A100-80GB"], 8) == {
        "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
        "nvidia.com/gpu.memory": "81920",
        "nvidia.com/gpu.count": "8",
        "nvidia.com/gpu.compute.major": "8",
        "nvidia.com/gpu.compute.minor": "0",
        "nvidia.com/gpu.family": "ampere",
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/mig.capable": "true",
        "nvidia.com/mig.strategy": "single",
    }


def test_a_node_offers_its_cards_under_the_vendors_resource_name() -> None:
    (node,) = node_manifests(parse_nodes("MI300X:8"))
    assert node["metadata"]["name"] == "mi300x-0"
    assert node["status"]["allocatable"] == node["status"]["capacity"]
    assert node["status"]["capacity"] == {
        "cpu": "144",
        "memory": "1536Gi",
        "ephemeral-storage": "500Gi",
        "pods": "110",
        "amd.com/gpu": "8",
    }


def test_added_nodes_take_names_that_are_free() -> None:
    nodes = node_manifests(parse_nodes("L4:1:2,L4:2:1"), taken={"l4-0", "l4-2"})
    assert [node["metadata"]["name"] for node in nodes] == ["l4-1", "l4-3", "l4-4"]


def test_command_lines_listen_on_the_loopback_address_only_and_verify_tls() -> None:
    binaries = {name: Path("/bin") / name for name in commands.CONTROL_PLANE}
    programs = commands.control_plane(LAYOUT, PORTS, binaries)
    words = [word for program in programs.values() for word in program.argv]
    assert [program.argv[0] for program in programs.values()] == [f"/bin/{name}" for name in programs]
    assert not [word for word in words if "0.0.0.0" in word or "insecure" in word]  # noqa: S104
    assert not [word for word in words if word.startswith("--bind-address") and "127.0.0.1" not in word]
    assert "--secure-port=3" in programs["kube-apiserver"].argv
    assert programs["kube-apiserver"].health == "https://127.0.0.1:3/readyz"


def test_every_pod_has_one_log_and_the_general_rule_comes_last(tmp_path: Path) -> None:
    enginelogs.write(tmp_path / "logs" / "kwok.yaml")
    rules = list(yaml.safe_load_all((tmp_path / "logs" / "kwok.yaml").read_text()))
    assert [rule["spec"].get("selector") is None for rule in rules] == [False] * (len(rules) - 1) + [True]
    assert all(Path(rule["spec"]["logs"][0]["logsFile"]).exists() for rule in rules)
    assert " stdout F 2026-01-01T00:00:00.000000Z  INFO" in enginelogs.container_log(8_050)
    assert "Setting max batch total tokens to 8050\n" in enginelogs.container_log(8_050)
    assert "Setting max batch total tokens" not in enginelogs.container_log(None)


def test_the_command_line_knows_every_program() -> None:
    assert set(ProgramName) == {*commands.CONTROL_PLANE, *NODE_PROGRAMS, "operator"}


def test_the_operator_gets_its_port_and_environment() -> None:
    program = commands.operator(PORTS, {"KUBECONFIG": "/bed/operator.kubeconfig"})
    assert program.argv[1:] == ("-m", "meditron_operator", "operator", "--health-port", "7")
    assert program.env == {"KUBECONFIG": "/bed/operator.kubeconfig"}
    assert program.health == "http://127.0.0.1:7/readyz"


def test_only_deployments_are_left_out_of_the_bundle() -> None:
    kinds = ["Namespace", "Deployment", "ClusterRole"]
    assert [each["kind"] for each in without_deployments({"kind": kind} for kind in kinds)] == [
        "Namespace",
        "ClusterRole",
    ]


def test_a_kubeconfig_carries_its_authority() -> None:
    content = kubeconfig("https://127.0.0.1:3", b"PEM", {"token": "t"})
    assert content["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:3",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }
    assert content["users"][0]["user"] == {"token": "t"}


def test_the_audit_log_leaves_out_only_noise() -> None:
    *noise, rest = commands.audit_policy()["rules"]
    assert rest == {"level": "Metadata"}
    assert all("users" in rule or rule["namespaces"] == ["kube-node-lease", "kube-system"] for rule in noise)


def test_ports_are_distinct() -> None:
    ports = allot_ports()
    numbers = [getattr(ports, name) for name in Ports.__slots__]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Kubernetes v1.37.2", (1, 37)),
        ("etcd Version: 3.7.3\nGit SHA: x\nGo Version: go1.26.8", (3, 7)),
        ("kwok version v0.7.0 go1.26.8 (linux/amd64)", (0, 7)),
        ("v4.3.1+g1234567", (4, 3)),
        ("Kubernetes v0.0.0-master+$Format:%H$", (0, 0)),
        ("", None),
    ],
)
def test_versions_are_read(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version


def write_script(path: Path, *lines: str) -> None:
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH besides the shell's; nothing is in the cache."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    monkeypatch.setenv("MEDITRON_TESTBED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return folder


def test_a_program_of_another_version_is_not_used(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    write_script(assets / "kube-scheduler", "echo Kubernetes v1.31.0")
    write_script(tools / "kube-scheduler", "echo Kubernetes v1.37.4")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    told: list[str] = []
    assert find("kube-scheduler", told.append) == tools / "kube-scheduler"
    assert told == [f"{assets / 'kube-scheduler'} is not used: it is 1.31, 1.37 or newer is needed"]


def test_a_missing_program_is_built_once(tools: Path, tmp_path: Path) -> None:
    write_script(
        tools / "go",
        'test "$1" = version && echo go version go1.26.0 && exit',
        f"echo x >> {tmp_path / 'builds'}",
        'touch "$GOBIN/kwok"',
    )
    assert find("kwok").is_relative_to(tmp_path / "cache")
    assert find("kwok").is_file()
    assert (tmp_path / "builds").read_text() == "x\n"


def test_a_failed_build_shows_its_output_and_leaves_nothing(tools: Path, tmp_path: Path) -> None:
    write_script(
        tools / "go", 'test "$1" = version && echo go version go1.27.0 && exit', "echo no space left", "exit 1"
    )
    with pytest.raises(TestbedError, match=r"kwok 0\.7\.0 does not build.*\nno space left"):
        find("kwok")
    assert [left.suffix for left in (tmp_path / "cache").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (None, "`go` is not on the PATH"),
        ("echo go version go1.24.1 linux/amd64", r"this is go1\.24"),
        ("echo 'go.mod requires go >= 1.26.0' >&2; exit 1", "requires go >= 1.26.0"),
    ],
)
def test_without_the_right_go_nothing_can_be_built(tools: Path, script: str | None, complaint: str) -> None:
    if script:
        write_script(tools / "go", script)
    with pytest.raises(TestbedError, match=rf"Go 1\.26 or newer must be installed to build kwok.*{complaint}"):
        find("kwok")
