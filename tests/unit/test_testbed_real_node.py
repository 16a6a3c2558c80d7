"""What of a real node can be seen without one: images, command lines, what it asks of the machine."""

import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.testbed import TestbedError, commands
from tests.testbed.commands import Program
from tests.testbed.layout import Layout, Ports
from tests.testbed.node import cilium, configs, machine, requirements
from tests.testbed.node.commands import beside_node
from tests.testbed.node.oci import REGISTRY, Image, layer, write_archive
from tests.testbed.node.options import NodeLayout, NodeOptions
from tests.testbed.node.python_image import PROJECT, Environment, PythonRoot, locked
from tests.testbed.node.recipes import CILIUM, CNI_PLUGINS, CONTAINERD, RUNC

PORTS = Ports(*range(1, 17))


@pytest.fixture
def layout(tmp_path: Path) -> NodeLayout:
    layout = NodeLayout(Layout(tmp_path))
    layout.save(NodeOptions())
    layout.namespaces.write_text("100 101")
    return layout


def folder_with(root: Path, content: str, mode: int = 0o644) -> Path:
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "file").write_text(content)
    (root / "inner" / "file").chmod(mode)
    (root / "link").symlink_to("inner/file")
    return root


def test_equal_contents_make_equal_layers(tmp_path: Path) -> None:
    first = layer({"/opt/a": folder_with(tmp_path / "1", "same")}, tmp_path / "1.tar")
    os.utime(folder_with(tmp_path / "2", "same") / "inner" / "file", (0, 0))
    second = layer({"/opt/a": tmp_path / "2"}, tmp_path / "2.tar")
    other = layer({"/opt/a": folder_with(tmp_path / "3", "different")}, tmp_path / "3.tar")
    assert first.digest == second.digest == f"sha256:{hashlib.sha256(first.file.read_bytes()).hexdigest()}"
    assert other.digest != first.digest
    with tarfile.open(first.file) as archive:
        assert archive.getnames() == ["opt", "opt/a", "opt/a/inner", "opt/a/inner/file", "opt/a/link"]
        assert {(member.uid, member.gid, member.mtime) for member in archive} == {(0, 0, 0)}
        assert archive.getmember("opt/a/link").linkname == "inner/file"


def test_a_whole_root_is_a_layer(tmp_path: Path) -> None:
    packed = layer({"/": folder_with(tmp_path / "root", "x")}, tmp_path / "root.tar")
    with tarfile.open(packed.file) as archive:
        assert archive.getnames() == ["inner", "inner/file", "link"]


def test_an_image_is_named_by_the_digest_of_its_manifest(tmp_path: Path) -> None:
    content = layer({"/file": folder_with(tmp_path / "a", "x") / "inner" / "file"}, tmp_path / "layer.tar")
    image = Image("name", (content,), ("/file",), {"KEY": "value"})
    archive = write_archive(image, tmp_path / "image.tar")
    with tarfile.open(archive.file) as file:
        blobs = {name: (file.extractfile(name) or pytest.fail(name)).read() for name in file.getnames()}
    [described] = json.loads(blobs["index.json"])["manifests"]
    for name, blob in blobs.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}"
    assert archive.reference == f"{REGISTRY}/name@{described['digest']}"
    assert described["annotations"] == {"io.containerd.image.name": archive.reference}
    manifest = json.loads(blobs[f"blobs/sha256/{described['digest'].removeprefix('sha256:')}"])
    config = json.loads(blobs[f"blobs/sha256/{manifest['config']['digest'].removeprefix('sha256:')}"])
    assert config["config"]["User"] == "10001:10001"
    assert "KEY=value" in config["config"]["Env"]


def test_an_environment_is_the_lock_files_and_has_no_tools() -> None:
    entries = locked((PROJECT,))
    names = {entry.split("==")[0] for entry in entries}
    assert {"aiohttp", "kopf", "kubernetes", "pydantic", "structlog", "typer", "multidict"} <= names
    assert not names & {"kubernetes_asyncio", "mypy", "pytest", "ruff", PROJECT}
    assert all("--hash=sha256:" in entry for entry in entries)
    assert {entry.split("==")[0] for entry in locked(("aiohttp",))} < names


def test_whatever_goes_into_an_environment_is_in_its_folders_name() -> None:
    folders = {
        Environment(packages, python).folder for packages in (("aiohttp",), ("yarl",)) for python in ("3.11", "3.12")
    }
    assert len(folders) == 4


@pytest.mark.parametrize("recipe", [CONTAINERD, RUNC, CNI_PLUGINS, CILIUM])
def test_a_recipe_is_kept_by_its_version(recipe: object) -> None:
    assert isinstance(recipe, type(CONTAINERD))
    assert recipe.folder.name == f"{recipe.name}-{recipe.version}"
    assert recipe.checksum.startswith("h1:")


def test_the_root_is_kept_by_its_release() -> None:
    assert PythonRoot().folder.name.startswith("python-root-")


def test_the_control_plane_stands_in_the_nodes_network(layout: NodeLayout) -> None:
    binaries = {name: Path("/bin") / name for name in commands.CONTROL_PLANE}
    plain = commands.control_plane(layout.testbed, PORTS, binaries)
    programs = beside_node(plain, layout, "cgroup")
    for name, program in programs.items():
        assert program.argv[1:5] == ("-m", "tests.testbed.node.enter", "network", "101")
        assert program.health == plain[name].health
    server = programs["kube-apiserver"].argv
    assert [word for word in server if word.startswith("--bind-address")][-1] == "--bind-address=0.0.0.0"
    assert "--manage-all-nodes=false" in programs["kwok"].argv


@pytest.mark.parametrize(("lowers", "line"), [(True, "score_adj = false"), (False, "score_adj = true")])
def test_containerd_leaves_scores_alone_where_it_may_not_lower_them(
    layout: NodeLayout, lowers: bool, line: str
) -> None:
    assert line in configs.containerd(layout, Path("/runc"), lowers_oom_score=lowers)


def test_kubelet_keeps_to_its_own_cgroup_and_trusts_nobody(layout: NodeLayout) -> None:
    config = yaml.safe_load(configs.kubelet(layout, PORTS, "mine"))
    assert config["cgroupRoot"] == "/mine"
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authorization"] == {"mode": "Webhook"}


def test_cilium_attaches_nothing_outside_the_nodes_cgroup() -> None:
    options = cilium.options(Path("/kubeconfig"), PORTS)
    assert options["cgroup-root"] == str(machine.OWN_CGROUP)
    assert options["enable-k8s-networkpolicy"] == "true"
    assert options["kube-proxy-replacement"] == options["bpf-lb-sock"] == "false"


def test_without_root_nothing_else_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert requirements.lacking() == ["root"]
    with pytest.raises(TestbedError, match=r"^a real node can't run here; missing: root$"):
        requirements.require(tmp_path, NodeOptions())


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "ip" else f"/bin/{name}")
    assert "the program ip" in requirements.lacking()


def test_a_folder_that_the_node_could_not_see_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "lacking", lambda cilium: [])
    with pytest.raises(TestbedError, match="has an empty /run of its own"):
        requirements.require(Path("/run/bed"), NodeOptions())


def test_gpus_that_are_not_understood_come_first() -> None:
    with pytest.raises(TestbedError, match="unknown GPU type 'X'"):
        requirements.require(Path("/bed"), NodeOptions(gpus="X:1"))


def test_a_testbed_without_a_real_node_says_so(tmp_path: Path) -> None:
    assert NodeLayout(Layout(tmp_path)).load() is None


def test_a_program_outside_of_the_control_plane_gets_no_more_flags(layout: NodeLayout) -> None:
    [program] = beside_node({"etcd": Program("etcd", ("/bin/etcd", "--x"))}, layout, "cgroup").values()
    assert program.argv[-2:] == ("/bin/etcd", "--x")
