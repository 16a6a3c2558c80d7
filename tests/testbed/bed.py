"""The testbed as tests and the demo use it."""

import os
import platform
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.testbed import control, instances
from tests.testbed.cluster import Cluster, Manifest, read_manifests, wait_ready
from tests.testbed.commands import CONTROL_PLANE, Program
from tests.testbed.control import Control, ProgramStatus
from tests.testbed.controlplane import Ground, Nowhere, bring_up, leads_out, wait_healthy
from tests.testbed.errors import TestbedError
from tests.testbed.install import guard_programs, install, operator_program, wait_admitting
from tests.testbed.layout import Layout, Ports
from tests.testbed.node import requirements
from tests.testbed.node.ground import NodeGround
from tests.testbed.node.node import RealNode
from tests.testbed.node.options import NodeOptions
from tests.testbed.nodes import DEFAULT_NODES, NodeGroup, node_manifests, parse_nodes
from tests.testbed.pki import Authority
from tests.testbed.programs import find_all
from tests.testbed.waiting import wait_for

NODES_LIMIT_SECONDS = 60.0


def _silent(_: str) -> None:
    """No progress."""


class Testbed:
    """A running testbed. From `start` it ends with its `with` block and this process, from `attach` not."""

    __test__ = False  # its name is no test's for pytest

    def __init__(self, directory: Path, supervisor: "subprocess.Popen[str] | None" = None) -> None:
        self._layout = Layout(directory)
        self._supervisor = supervisor
        self._control = Control(directory)

    @classmethod
    def start(
        cls,
        directory: Path,
        nodes: str = DEFAULT_NODES,
        operator: bool = False,
        operator_env: Mapping[str, str] | None = None,
        guards: int = 0,
        progress: Callable[[str], None] | None = None,
        node: NodeOptions | None = None,
    ) -> "Testbed":
        """Start a testbed in a folder that is empty or does not exist; returns when everything is Ready.

        With the operator up to two guards: the programs `guard` and `guard-2`.

        Raises TestbedError, and leaves nothing behind, when that fails.
        """
        groups, directory, tell = parse_nodes(nodes), directory.resolve(), progress or _silent
        if node is not None:
            requirements.require(directory, node)
        _make_room(directory)
        binaries = find_all(CONTROL_PLANE, tell)
        bed = cls(directory, control.start_supervisor(directory))
        try:
            ground: Ground | None = NodeGround(bed._layout, bed._control, node, tell) if node else None
            if ground is None and guards and leads_out():
                ground = Nowhere()
            bring_up(bed._layout, bed._control, binaries, tell, ground)
            bed._populate(groups, tell)
            if bed.node is not None:
                with bed._cluster() as cluster:
                    bed.node.start(cluster, tell)
            if operator:
                bed._start_operator(operator_env or {}, guards, tell)
        except BaseException:
            bed.down()
            raise
        return bed

    @classmethod
    def attach(cls, directory: Path) -> "Testbed":
        """The testbed that runs in this folder; raises TestbedError when none does."""
        bed = cls(directory.resolve())
        bed.status()
        return bed

    def __enter__(self) -> "Testbed":
        return self

    def __exit__(self, *_: object) -> None:
        if self._supervisor is not None:
            self.down()

    @property
    def directory(self) -> Path:
        return self._layout.root

    @property
    def kubeconfig(self) -> Path:
        """Admin's (system:masters)."""
        return self._layout.kubeconfig

    @property
    def audit_log(self) -> Path:
        """One JSON line per answered request, written before the answer is out."""
        return self._layout.audit_log

    @property
    def logs(self) -> Path:
        """The folder with `<program>.log`."""
        return self._layout.logs

    @property
    def node(self) -> RealNode | None:
        """The real node; None when all are simulated."""
        return RealNode.of(self._layout, self._control)

    @property
    def operator_health_url(self) -> str | None:
        """None when this testbed has no operator."""
        return f"{Ports.load(self._layout).operator_url}/healthz" if "operator" in self.status() else None

    def status(self) -> dict[str, ProgramStatus]:
        """Every program by its name."""
        return self._control.status()

    def stop(self, program: str) -> None:
        """SIGTERM, and wait for its end (30 s at most)."""
        self._control.stop(program)

    def kill(self, program: str) -> None:
        """SIGKILL, and wait for its end."""
        self._control.kill(program)

    @contextmanager
    def hung(self, program: str) -> Iterator[None]:
        """Meanwhile the program is there, and gets no processor time (SIGSTOP)."""
        pid = self.status()[program].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def start_program(self, program: str) -> None:
        """Start a stopped program as it was; returns when it is healthy."""
        begin = self._layout.log_of(program).stat().st_size
        self._control.start(program)
        wait_healthy(program, self._layout, self._control)
        if self.node is not None:
            with self._cluster() as cluster:
                self.node.settle(program, begin, cluster)

    def wait_admitting(self) -> None:
        """Until the API server's admission policies are in force again, up to half a minute after its start."""
        with self._cluster() as cluster:
            wait_admitting(cluster)

    def run(self, program: Program) -> None:
        """Start a program that is new here; returns when it is healthy. It ends with the testbed."""
        self._control.run(program)
        wait_healthy(program.name, self._layout, self._control)

    def run_installed(
        self, extra_env: Mapping[str, str], guards: int = 0, tell: Callable[[str], None] = _silent
    ) -> None:
        """Start operator and guards beside the cluster, as the service accounts that are installed there.

        Simulated nodes don't run what is in their pods.
        """
        with self._cluster() as cluster:
            ports = Ports.load(self._layout)
            programs = [operator_program(self._layout, ports, cluster, extra_env)]
            programs += guard_programs(self._layout, ports, cluster, guards)
        # Else its garbage collector learns of the new kinds only at its next look for such, up to 30 s later.
        self.kill("kube-controller-manager")
        self.start_program("kube-controller-manager")
        for program in programs:
            tell(f"starting {program.name}")
            self._control.run(program)
        for program in programs:
            wait_healthy(program.name, self._layout, self._control)

    def apply(self, what: Path | Iterable[Manifest]) -> None:
        """Server-side apply as admin: a YAML file, all `*.yaml` of a folder, or objects."""
        with self._cluster() as cluster:
            cluster.apply(read_manifests(what) if isinstance(what, Path) else what)

    def add_nodes(self, nodes: str) -> list[str]:
        """Add nodes (`L4:1:2`); returns their names once they are Ready."""
        return self._add_nodes(parse_nodes(nodes))

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a ten-hour token of this service account."""
        with self._cluster() as cluster:
            credentials = {"token": cluster.token(namespace, name)}
        return self._write_kubeconfig(f"serviceaccount.{namespace}.{name}", credentials)

    def user_kubeconfig(self, user: str, group: str = "testbed") -> Path:
        """A kubeconfig with a certificate for a person, who may do what RBAC gives to user and group."""
        return self._write_kubeconfig(f"user.{user}", Authority.load(self._layout).credentials(user, group))

    def detach(self) -> None:
        """Let the testbed outlive this process; `down` ends it."""
        self._control.detach()
        if self._supervisor is not None:
            # The supervisor is not ours to wait for any more: no warning about a child that still runs.
            self._supervisor.returncode = 0
            assert self._supervisor.stdin is not None
            self._supervisor.stdin.close()
            self._supervisor = None

    def down(self) -> None:
        """End every program and remove the folder."""
        instance = instances.at(self.directory)
        if instance is not None:
            instances.end(instance)
        if self._supervisor is not None:
            control.release(self._supervisor)
            self._supervisor = None

    def _populate(self, groups: tuple[NodeGroup, ...], tell: Callable[[str], None]) -> None:
        tell(f"creating simulated nodes: {sum(group.count for group in groups)}")
        names = self._add_nodes(groups)
        with self._cluster() as cluster:
            wait_for(
                "the service account default/default, which controllers make",
                lambda: cluster.has_service_account("default", "default"),
                NODES_LIMIT_SECONDS,
            )
        tell(f"nodes that are Ready: {len(names)}")

    def _add_nodes(self, groups: tuple[NodeGroup, ...]) -> list[str]:
        with self._cluster() as cluster:
            manifests = node_manifests(groups, taken=cluster.node_names())
            names = [manifest["metadata"]["name"] for manifest in manifests]
            cluster.create_nodes(manifests)
            wait_ready(cluster, names, NODES_LIMIT_SECONDS + len(names) / 10)
        return names

    def _start_operator(self, extra_env: Mapping[str, str], guards: int, tell: Callable[[str], None]) -> None:
        tell("installing the operator")
        with self._cluster() as cluster:
            install(cluster)
        self.run_installed(extra_env, guards, tell)

    def _cluster(self) -> Cluster:
        return Cluster(self._layout, Ports.load(self._layout))

    def _write_kubeconfig(self, name: str, credentials: dict[str, str]) -> Path:
        path = self._layout.component_kubeconfig(name)
        server = Ports.load(self._layout).api_url
        path.write_text(Authority.load(self._layout).kubeconfig(server, credentials))
        path.chmod(0o600)
        return path


def _make_room(directory: Path) -> None:
    """Remove what dead testbeds left, here and elsewhere; raises TestbedError when the folder is in use."""
    if platform.system() != "Linux":
        raise TestbedError("the testbed needs Linux: only its kernel ends a process together with its parent")
    instances.sweep()
    instance = instances.at(directory)
    if instance is not None and instances.is_alive(instance):
        command = f"python -m tests.testbed down --dir {directory}"
        raise TestbedError(f"a testbed runs in {directory} already: end it with `{command}`")
    if instance is not None:
        instances.discard(instance)
    instances.require_free(directory)
