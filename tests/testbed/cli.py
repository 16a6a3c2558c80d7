"""The command line: `python -m tests.testbed --help`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from meditron_operator.core.catalog.gpus import GPUS
from tests.testbed import instances
from tests.testbed.argocd.recipe import ARGOCD
from tests.testbed.bed import Testbed
from tests.testbed.build import ensure_built
from tests.testbed.commands import CONTROL_PLANE
from tests.testbed.control import Control
from tests.testbed.errors import TestbedError
from tests.testbed.node.inventory import build_node
from tests.testbed.node.options import DEFAULT_GPUS, NodeOptions
from tests.testbed.node.requirements import lacking
from tests.testbed.nodes import DEFAULT_NODES
from tests.testbed.programs import find_all
from tests.testbed.pythontools import BILL, CHECKS

USER_ERROR = 2
TOOLS = ("helm", "cyclonus")
"""Of tests that have no cluster."""
ECOSYSTEM = ("helm", "kubectl", "kube-score", "kubeconform", "trivy")
"""What the operator is installed and checked with."""

app = typer.Typer(
    help="A real Kubernetes control plane on this machine, without Docker or root, with simulated GPU nodes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class ProgramName(StrEnum):
    """What can be stopped and started by hand."""

    ETCD = "etcd"
    APISERVER = "kube-apiserver"
    CONTROLLERS = "kube-controller-manager"
    SCHEDULER = "kube-scheduler"
    KWOK = "kwok"
    OPERATOR = "operator"
    CONTAINERD = "containerd"
    KUBELET = "kubelet"
    PROXY = "kube-proxy"
    AGENT = "cilium-agent"


Folder = Annotated[Path, typer.Option("--dir", metavar="D", help="The testbed's folder.")]
OptionalFolder = Annotated[Path | None, typer.Option("--dir", metavar="D", help="The testbed's folder.")]
Name = Annotated[ProgramName, typer.Argument(metavar="PROGRAM", help=f"One of {', '.join(ProgramName)}.")]
Nodes = Annotated[
    str | None,
    typer.Option(
        metavar="GPU:CARDS[:NODES],…",
        help=f"Simulated nodes: type, cards on each, how many. Types: {', '.join(GPUS)}. None beside --node.",
    ),
]
WithOperator = Annotated[
    bool,
    typer.Option("--operator", help="Install this repository's operator and run it beside the cluster."),
]


WithNode = Annotated[
    bool,
    typer.Option("--node", help=f"A real node with {DEFAULT_GPUS} in its status: kubelet and containers. Needs root."),
]
WithCilium = Annotated[
    bool,
    typer.Option("--cilium", help="Cilium's agent on the real node: network policies are enforced."),
]


@app.command()
def up(
    directory: Folder,
    nodes: Nodes = None,
    operator: WithOperator = False,
    node: WithNode = False,
    cilium: WithCilium = False,
) -> None:
    """Start a testbed and leave it running. Prints the path of admin's kubeconfig.

    The folder must be empty or absent. What is not in $KUBEBUILDER_ASSETS, on the
    PATH or in the cache is built first, once: that needs Go and about ten minutes.
    """
    with _clear_errors(), _progress() as tell:
        if cilium and not node:
            raise TestbedError("--cilium needs --node")
        simulated = nodes if nodes is not None else "" if node else DEFAULT_NODES
        real = NodeOptions(cilium=cilium) if node else None
        with Testbed.start(directory, simulated, operator, progress=tell, node=real) as bed:
            bed.detach()
    print(bed.kubeconfig)


@app.command()
def build(
    node: Annotated[bool, typer.Option("--node", help="Those of a real node, where one can run.")] = False,
    ecosystem: Annotated[
        bool, typer.Option("--ecosystem", help="Those that the operator is installed and checked with.")
    ] = False,
) -> None:
    """Find or build every program that the tests use, and say where each is."""
    with _clear_errors(), _progress() as tell:
        if node and ecosystem:
            raise TestbedError("give --node or --ecosystem")
        wanted = ECOSYSTEM if ecosystem else (*CONTROL_PLANE, *TOOLS)
        found = build_node(tell) if node else find_all(wanted, tell)
        if ecosystem:
            found |= {each.name: ensure_built(each, tell) for each in (CHECKS, BILL, ARGOCD)}
    if not found:
        _say(f"no real node can run here; missing: {'; '.join(lacking(cilium=True))}")
    for name, path in found.items():
        print(f"{name:<24} {path}")


@app.command()
def down(
    directory: OptionalFolder = None,
    everything: Annotated[bool, typer.Option("--all", help="Every testbed of this user.")] = False,
) -> None:
    """End a testbed, or all of them, and remove what they left on disk."""
    with _clear_errors():
        if everything == (directory is not None):
            raise TestbedError("give either --dir D or --all")
        if directory is None:
            _end_all()
        else:
            _end(directory.resolve())


@app.command()
def status(directory: OptionalFolder = None) -> None:
    """Show the programs of one testbed, or of all of this user. Removes what dead ones left behind."""
    with _clear_errors():
        for swept in instances.sweep():
            _say(f"removed {swept}, which a dead testbed left")
        if directory is not None:
            _show(directory.resolve())
        else:
            _show_all()


@app.command()
def stop(program: Name, directory: Folder) -> None:
    """End a program with SIGTERM, and wait for it (30 s at most)."""
    with _clear_errors():
        Testbed.attach(directory).stop(program)


@app.command()
def kill(program: Name, directory: Folder) -> None:
    """End a program with SIGKILL."""
    with _clear_errors():
        Testbed.attach(directory).kill(program)


@app.command()
def start(program: Name, directory: Folder) -> None:
    """Start a stopped program with the arguments and ports that it had, and wait until it is healthy."""
    with _clear_errors():
        Testbed.attach(directory).start_program(program)


def _end(directory: Path) -> None:
    instance = instances.at(directory)
    if instance is None:
        raise TestbedError(f"{directory} is not a testbed")
    instances.end(instance)


def _end_all() -> None:
    living = instances.living()
    for instance in living:
        instances.end(instance)
    folders = [instance.directory for instance in living] + instances.sweep()
    for folder in folders:
        _say(f"removed {folder}")
    if not folders:
        _say("no testbed runs")


def _show_all() -> None:
    living = instances.living()
    if not living:
        _say("no testbed runs")
    for instance in living:
        try:
            _show(instance.directory)
        except TestbedError as problem:  # it starts or ends at this moment
            _say(str(problem))


def _show(folder: Path) -> None:
    programs = Control(folder).status()
    print(folder)
    for program in programs.values():
        state = f"running, pid {program.pid}" if program.running else f"ended with code {program.code}"
        print(f"  {program.name:<24} {state}")


def _say(line: str) -> None:
    print(line, file=sys.stderr)


@contextmanager
def _clear_errors() -> Iterator[None]:
    """A user's mistake is one line and exit code 2; the end of a log may follow it."""
    try:
        yield
    except TestbedError as problem:
        _say(f"error: {problem}")
        raise typer.Exit(USER_ERROR) from None


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """One changing line on a terminal, plain lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _say
        return
    with console.status("starting") as line:
        yield lambda text: line.update(escape(text))
