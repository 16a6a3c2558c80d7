"""The command line: `python -m tests.demo --help`."""

import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import DynamicApiError
from urllib3.exceptions import HTTPError

from tests.cluster.support import ROOT, Admin
from tests.demo import node as node_show
from tests.demo.errors import DemoError
from tests.demo.rows import rows
from tests.demo.screen import PlainScreen, screen
from tests.demo.steps import KINDS, STEPS, Stage, prepare
from tests.demo.watching import Watching
from tests.demo.words import (
    NAMESPACE,
    NODES,
    REAL,
    SIMULATED,
    Measured,
    cluster_size,
    failure,
    premises,
    still_running,
    still_running_node,
    summary,
)
from tests.testbed import Testbed, TestbedError

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130
KEPT_FOLDER = ROOT / ".demo"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def demo(
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave the cluster and the operator running, and say how to use and end them."),
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="D",
            help="Folder for the cluster, empty or absent. Default: a temporary one; with --keep .demo in the project.",
        ),
    ] = None,
    node: Annotated[
        bool,
        typer.Option("--node", help="Real containers on a real node instead, with Cilium. Needs Linux and root."),
    ] = False,
) -> None:
    """Show the operator's main job on a cluster of its own: real control plane, simulated GPU nodes.

    Deploys Meditron in five sizes, scales it, repairs it and stops it. It needs no Docker, no root and no GPU,
    and leaves nothing behind. Programs that this machine does not have are built first, once, which needs Go.

    With --node: the operator and a double of the engine in containers. Tokens are streamed to a client that is
    named, another one is refused, and the kill annotation cuts the stream.

    Exit code: 0 done, 1 a step did not come out in time, 2 no cluster could be started, 130 interrupted.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with _folder(directory, keep) as folder:
            if node:
                node_show.require(folder)
            code = _run(folder, keep, NODE_SHOW if node else CLUSTER_SHOW)
    except TestbedError as problem:
        _complain(f"error: {problem}")
        code = USER_ERROR
    except KeyboardInterrupt:
        _complain("interrupted: everything is ended and removed")
        code = INTERRUPTED
    raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class Show:
    """One part of the demo."""

    premises: Sequence[str]
    start: Callable[[Path, PlainScreen], Testbed]
    up: str
    play: Callable[[Testbed, Admin, PlainScreen], list[Measured]]
    real_nodes: bool


def _run(folder: Path, keep: bool, show: Show) -> int:
    started = time.monotonic()
    problem, lines = "", []
    with screen() as viewer:
        viewer.say("The Meditron operator at work", style="bold")
        for line in show.premises:
            viewer.say(line)
        with show.start(folder, viewer) as bed:
            up = Measured(show.up, time.monotonic() - started, "the start")
            viewer.done(up.what, up.seconds)
            try:
                results = [up, *_play(show, bed, viewer)]
            except DemoError as error:
                problem = str(error)
                lines = failure(problem, _logs_to_keep(bed, keep), bed.directory if keep else None)
            if keep:
                bed.detach()
    if problem:
        _complain(*lines)
        return FAILED
    viewer.conclude(*summary(results, time.monotonic() - started, real_nodes=show.real_nodes))
    if keep:
        viewer.say()
        describe = still_running_node if show.real_nodes else still_running
        for line in describe(bed.directory, bed.kubeconfig, bed.logs):
            viewer.say(line)
    return 0


def _start(folder: Path, viewer: PlainScreen) -> Testbed:
    viewer.step("Start a cluster, install the CRD and the operator under its own RBAC")
    viewer.command("kubectl apply --server-side -f crds/ -f manifests/install.yaml")
    return Testbed.start(folder, NODES, operator=True, progress=viewer.busy)


def _play(show: Show, bed: Testbed, viewer: PlainScreen) -> list[Measured]:
    """All steps, one after the other. Raises DemoError at the first that does not come out."""
    try:
        return show.play(bed, _admin(bed), viewer)
    except DynamicApiError as refused:
        raise DemoError(f"the API server refuses a request: {refused.summary()}") from refused  # type: ignore[no-untyped-call]
    except (ApiException, HTTPError) as broken:
        raise DemoError(f"the API server does not answer: {' '.join(str(broken).split())}") from broken
    except TestbedError as late:
        raise DemoError(str(late)) from late


def _play_cluster(bed: Testbed, admin: Admin, viewer: PlainScreen) -> list[Measured]:
    prepare(admin)
    with Watching(admin, NAMESPACE, KINDS, lambda state: viewer.show(rows(state))) as watching:
        stage = Stage(admin, watching, viewer)
        return [result for step in STEPS for result in step(stage)]


CLUSTER_SHOW = Show(
    premises=premises(REAL, SIMULATED),
    start=_start,
    up=f"cluster and operator up: {cluster_size(NODES)}",
    play=_play_cluster,
    real_nodes=False,
)
NODE_SHOW = Show(
    premises=premises(node_show.REAL, node_show.SIMULATED),
    start=node_show.start_node,
    up="cluster up, and its real node Ready",
    play=node_show.play,
    real_nodes=True,
)


def _admin(bed: Testbed) -> Admin:
    """The client keeps its keys and the server's list of resources in temporary files: in the testbed's folder
    they end with it."""
    tempfile.tempdir = str(bed.directory)
    try:
        return Admin(bed.kubeconfig)
    finally:
        tempfile.tempdir = None


def _logs_to_keep(bed: Testbed, keep: bool) -> Path:
    """Where the logs stay: those of a testbed that is about to go are copied."""
    if keep:
        return bed.logs
    logs = Path(tempfile.mkdtemp(prefix="meditron-demo-logs-"))
    shutil.copytree(bed.logs, logs, dirs_exist_ok=True)
    shutil.copy(bed.audit_log, logs)
    return logs


@contextmanager
def _folder(asked: Path | None, keep: bool) -> Iterator[Path]:
    """The testbed's folder. It removes its content by itself; what we made and it never used, we remove."""
    if asked is not None or keep:
        yield asked or KEPT_FOLDER
        return
    made = Path(tempfile.mkdtemp(prefix="meditron-demo-"))
    try:
        yield made
    finally:
        with contextlib.suppress(OSError):
            made.rmdir()


def _complain(*lines: str) -> None:
    sys.stdout.flush()
    print(*lines, sep="\n", file=sys.stderr)  # noqa: T201
