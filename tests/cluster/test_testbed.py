"""The testbed itself: it starts, schedules like a real cluster, and leaves nothing behind however it ends."""

import dataclasses
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from tests.testbed import Testbed, TestbedError, controlplane, instances
from tests.testbed.commands import CONTROL_PLANE
from tests.testbed.layout import REPOSITORY, allot_ports
from tests.testbed.programs import find
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

LIMIT_SECONDS = 30.0
CALLER = """
import sys, time
from pathlib import Path
from tests.testbed import Testbed
bed = Testbed.start(Path(sys.argv[1]), nodes="")
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def own_records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep these testbeds apart from others of this user, so that `down --all` can be tried."""
    assets = tmp_path_factory.mktemp("assets")
    for name in CONTROL_PLANE:
        (assets / name).symlink_to(find(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEBUILDER_ASSETS", str(assets))
        patch.setenv("MEDITRON_TESTBED_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    # Longer than a socket's path may be.
    directory = tmp_path_factory.mktemp("bed") / ("long" * 30)
    with Testbed.start(directory, nodes="A100-80GB:8:1") as testbed:
        yield testbed
    assert not directory.exists()


def cli(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.testbed", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


@contextmanager
def watched(pids: list[int]) -> Iterator[list[int]]:
    """Descriptors that stay with these very processes, whatever happens to their numbers."""
    with ExitStack() as stack:
        descriptors = [os.pidfd_open(pid) for pid in pids]
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        yield descriptors


def has_ended(process: int, limit_seconds: float) -> bool:
    return bool(select.select([process], [], [], limit_seconds)[0])


def pids_of(directory: Path) -> list[int]:
    """The supervisor and all its programs."""
    instance = instances.at(directory)
    assert instance is not None
    programs = Testbed.attach(directory).status().values()
    return [instance.pid, *(program.pid for program in programs if program.pid)]


def core_api(kubeconfig: Path) -> Any:
    """Any, because in the client's types every part of an object may be None."""
    return client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))  # type: ignore[no-untyped-call]


def gpu_pod(name: str, cards: int) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": str(cards)}
    container = {"name": "main", "image": "none.invalid/none", "resources": {"limits": limits}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container]},
    }


def scheduled(pod: Any) -> tuple[str, str | None] | None:
    """(status, reason) of the pod's condition PodScheduled."""
    found = (each for each in pod.status.conditions or () if each.type == "PodScheduled")
    return next(((each.status, each.reason) for each in found), None)


def test_the_ninth_gpu_of_a_node_is_refused(bed: Testbed) -> None:
    pods = core_api(bed.kubeconfig)
    bed.apply([gpu_pod("eight", 8)])
    wait_for(
        "the first pod to run",
        lambda: pods.read_namespaced_pod("eight", "default").status.phase == "Running",
        LIMIT_SECONDS,
    )
    bed.apply([gpu_pod("ninth", 1)])
    wait_for(
        "the scheduler's refusal",
        lambda: scheduled(pods.read_namespaced_pod("ninth", "default")) == ("False", "Unschedulable"),
        LIMIT_SECONDS,
    )
    assert pods.read_namespaced_pod("ninth", "default").status.phase == "Pending"
    pods.delete_namespaced_pod("eight", "default")
    wait_for(
        "the freed card to be used",
        lambda: pods.read_namespaced_pod("ninth", "default").status.phase == "Running",
        LIMIT_SECONDS,
    )


def test_nodes_can_be_added(bed: Testbed) -> None:
    assert bed.add_nodes("L4:1:2") == ["l4-0", "l4-1"]


def test_a_stopped_program_does_nothing_until_it_is_started(bed: Testbed) -> None:
    pods = core_api(bed.kubeconfig)
    bed.stop("kube-scheduler")
    assert not bed.status()["kube-scheduler"].running
    bed.apply([gpu_pod("waiting", 0)])
    assert scheduled(pods.read_namespaced_pod("waiting", "default")) is None
    bed.start_program("kube-scheduler")
    wait_for(
        "the pod to be scheduled",
        lambda: scheduled(pods.read_namespaced_pod("waiting", "default")) == ("True", None),
        LIMIT_SECONDS,
    )
    bed.kill("kwok")
    assert bed.status()["kwok"].code == -signal.SIGKILL
    bed.start_program("kwok")


def test_the_api_server_comes_back_with_its_data_and_its_port(bed: Testbed) -> None:
    before = {node.metadata.name for node in core_api(bed.kubeconfig).list_node().items}
    bed.stop("kube-apiserver")
    bed.start_program("kube-apiserver")
    assert {node.metadata.name for node in core_api(bed.kubeconfig).list_node().items} == before


def test_a_person_and_a_service_account_have_no_rights_of_their_own(bed: Testbed) -> None:
    bed.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "default"}}])
    for kubeconfig, user in (
        (bed.user_kubeconfig("alice"), "alice"),
        (bed.service_account_kubeconfig("default", "a"), "system:serviceaccount:default:a"),
    ):
        api = core_api(kubeconfig)
        with pytest.raises(client.ApiException) as refused:
            api.list_node()
        assert refused.value.status == 403
        assert f'"{user}\\"' in str(refused.value.body)
        assert f'"username":"{user}"' in bed.audit_log.read_text()


def test_an_unknown_program_is_an_error(bed: Testbed) -> None:
    with pytest.raises(TestbedError, match="has no program 'operator'"):
        bed.stop("operator")


def test_a_second_testbed_lives_beside_the_first_until_its_supervisor_is_killed(bed: Testbed, tmp_path: Path) -> None:
    directory = tmp_path / "second"
    up = cli("up", "--dir", str(directory), "--nodes", "L4:1:1")
    assert up.stdout == f"{directory / 'kubeconfig'}\n"
    listed = cli("status").stdout
    assert str(directory) in listed
    assert str(bed.directory) in listed
    assert "already" in cli("up", "--dir", str(directory), code=2).stderr

    with watched(pids_of(directory)) as processes:
        assert len(processes) == 1 + len(CONTROL_PLANE)
        signal.pidfd_send_signal(processes[0], signal.SIGKILL)
        assert all(has_ended(process, 5) for process in processes)
    assert directory.exists()
    assert str(directory) in cli("status").stderr
    assert not directory.exists()
    assert all(program.running for program in bed.status().values())


def test_a_port_that_is_lost_to_another_process_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = dataclasses.replace(allot_ports(), etcd=other.getsockname()[1])
        offers = iter((taken, allot_ports()))
        monkeypatch.setattr(controlplane, "allot_ports", lambda: next(offers))
        told: list[str] = []
        with Testbed.start(tmp_path / "bed", nodes="", progress=told.append) as testbed:
            assert all(program.running for program in testbed.status().values())
    assert "another process took one of the ports: once more with others" in told


def test_the_death_of_its_caller_ends_a_testbed(tmp_path: Path) -> None:
    directory = tmp_path / "orphan"
    command = [sys.executable, "-c", CALLER, str(directory)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "ready\n"
        with watched(pids_of(directory)) as processes:
            caller.kill()
            assert all(has_ended(process, 5) for process in processes)
    assert not directory.exists()


def test_down_all_ends_what_was_left_running(tmp_path: Path) -> None:
    directory = tmp_path / "left"
    with Testbed.start(directory, nodes="") as testbed:
        testbed.detach()
    with watched(pids_of(directory)) as processes:
        cli("down", "--all")
        assert all(has_ended(process, 0) for process in processes)
    assert not directory.exists()
    assert not instances.living()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("up", "--dir", "FULL"), "is in use"),
        (("up", "--dir", "NEW", "--nodes", "A100"), "'A100' is not understood"),
        (("down", "--dir", "FULL"), "is not a testbed"),
        (("stop", "etcd", "--dir", "NEW"), "is not a testbed"),
        (("down",), "either --dir D or --all"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], complaint: str) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "somebody's file").touch()
    places = {"FULL": str(full), "NEW": str(tmp_path / "new")}
    stderr = cli(*(places.get(argument, argument) for argument in arguments), code=2).stderr
    assert complaint in stderr
    assert stderr.count("\n") == 1
    assert (full / "somebody's file").exists()
