"""A node leaves nothing on the machine, however it ends, and changes nothing while it runs."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.support import Admin, create_all
from tests.node.machine_state import MachineState, namespaces_of, processes_in
from tests.node.pods import PROBE, namespace, server, service, wait_ready
from tests.testbed import Testbed, instances
from tests.testbed.layout import REPOSITORY, Layout
from tests.testbed.node import cgroups
from tests.testbed.node.options import NodeLayout, NodeOptions
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.node

LIMIT_SECONDS = 30.0


def cli(*arguments: str) -> None:
    command = [sys.executable, "-m", "tests.testbed", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def end_by_down(bed: Testbed) -> None:
    cli("down", "--dir", str(bed.directory))


def end_by_killing_the_supervisor(bed: Testbed) -> None:
    instance = instances.at(bed.directory)
    assert instance is not None
    os.kill(instance.pid, signal.SIGKILL)
    cli("status")


def end_by_killing_everything(bed: Testbed) -> None:
    """Programs first, so that nobody is left to tidy up; the containers are nobody's children by then."""
    instance = instances.at(bed.directory)
    assert instance is not None
    programs = [program.pid for program in bed.status().values() if program.pid]
    for pid in (*programs, instance.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cli("down", "--all")


@pytest.fixture(scope="module", autouse=True)
def own_records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep these testbeds apart from others of this user, so that `down --all` can be tried."""
    built, cache = instances.cache_folder(), tmp_path_factory.mktemp("cache")
    built.mkdir(parents=True, exist_ok=True)
    for program in built.iterdir():
        if program.is_dir() and program.name != "instances":
            (cache / program.name).symlink_to(program)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDITRON_TESTBED_CACHE", str(cache))
        yield


@pytest.fixture(scope="module")
def before(own_records: None) -> MachineState:
    return MachineState.now()


@pytest.fixture
def bed(
    request: pytest.FixtureRequest, before: MachineState, start: Callable[[NodeOptions], Testbed], tmp_path: Path
) -> Iterator[Testbed]:
    """With a pod that serves."""
    bed = start(NodeOptions(cilium=request.param == "cilium"))
    bed.detach()
    try:
        assert bed.node is not None
        admin = Admin(bed.kubeconfig)
        create_all(admin, [namespace("ward"), service("ward")])
        admin.create(server("ward", bed.node.load(PROBE.build(tmp_path, print))))
        wait_ready(admin, "ward", "server")
        yield bed
    finally:
        bed.down()


@pytest.mark.parametrize(
    ("bed", "end"),
    [
        ("bridge", end_by_down),
        ("bridge", end_by_killing_the_supervisor),
        ("cilium", end_by_down),
        ("cilium", end_by_killing_everything),
    ],
    indirect=["bed"],
)
def test_nothing_is_left(bed: Testbed, before: MachineState, end: Callable[[Testbed], None]) -> None:
    assert not before.changes(MachineState.now())
    instance = instances.at(bed.directory)
    assert instance is not None
    namespaces = namespaces_of(int(NodeLayout(Layout(bed.directory)).first_process()))
    assert len(processes_in(namespaces)) > len(bed.status())

    end(bed)

    wait_for("every process to end", lambda: not processes_in(namespaces), LIMIT_SECONDS)
    assert not bed.directory.exists()
    assert not instance.record.exists()
    name = cgroups.name_of(instance.identity)
    assert not [each.path / name for each in cgroups.hierarchies() if (each.path / name).exists()]
    assert not before.changes(MachineState.now())
