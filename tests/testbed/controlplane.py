"""Brings a control plane up under its supervisor, and tells when a program does its work."""

import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import urllib3
import yaml

from tests.testbed import commands, enginelogs
from tests.testbed.commands import Program
from tests.testbed.control import Control, ProgramStatus
from tests.testbed.errors import TestbedError
from tests.testbed.layout import SERVICE_RANGE, Layout, Ports, allot_ports, tail
from tests.testbed.pki import ADMIN_GROUP, Authority
from tests.testbed.waiting import wait_for

Progress = Callable[[str], None]

HEALTH_LIMIT_SECONDS = 60.0
_PROBE_SECONDS = 2.0
_PORT_ATTEMPTS = 3
QUIET_SERVICE_RANGE = "192.0.2.0/25"  # its first sixteen, where a gateway may be, are given out last
QUIET_POD_RANGE = "192.0.2.129/25"


class PortTaken(TestbedError):  # noqa: N818
    """A program lost the race for its port."""


class Ground(Protocol):
    """Where the control plane runs."""

    def prepare(self, ports: Ports) -> None:
        """Before any program starts; again when the ports were taken."""

    def programs(self, programs: Mapping[str, Program]) -> Mapping[str, Program]:
        """The programs as they must be started there."""


class Machine:
    """The machine itself: nothing to do."""

    def prepare(self, ports: Ports) -> None: ...

    def programs(self, programs: Mapping[str, Program]) -> Mapping[str, Program]:
        return programs


class Nowhere(Machine):
    """The machine, where addresses of pods and Services are of a range for documentation (RFC 5737).

    What asks them from outside must get no answer, as from a pod that is gone; on some machines whatever goes to
    other ranges is answered by a proxy.
    """

    def programs(self, programs: Mapping[str, Program]) -> Mapping[str, Program]:
        swaps = {f"--service-cluster-ip-range={SERVICE_RANGE}": f"--service-cluster-ip-range={QUIET_SERVICE_RANGE}"}
        more = {"kwok": (f"--cidr={QUIET_POD_RANGE}",)}
        return {
            name: replace(program, argv=(*(swaps.get(word, word) for word in program.argv), *more.get(name, ())))
            for name, program in programs.items()
        }


def leads_out() -> bool:
    """Whether this network namespace has more than its loopback."""
    return any(name != "lo" for _, name in socket.if_nameindex())


def bring_up(
    layout: Layout, control: Control, binaries: Mapping[str, Path], progress: Progress, ground: Ground | None = None
) -> Ports:
    """Start all five programs; returns when each is healthy.

    Raises TestbedError with the end of its log when a program ends or is not healthy in time.
    """
    authority, ground = Authority.create(layout), ground or Machine()
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        ports = allot_ports()
        _write_files(layout, ports, authority)
        try:
            ground.prepare(ports)
            programs = ground.programs(commands.control_plane(layout, ports, binaries))
            _start(programs, layout, control, progress)
        except PortTaken:
            if attempt == _PORT_ATTEMPTS:
                raise
            progress("another process took one of the ports: once more with others")
            _reset(layout, control)
        else:
            return ports
    raise AssertionError("unreachable")


def _write_files(layout: Layout, ports: Ports, authority: Authority) -> None:
    """Everything that depends on the ports, and what the API server reads at its start."""
    ports.save(layout)
    layout.audit_policy.write_text(yaml.safe_dump(commands.audit_policy(), sort_keys=False))
    enginelogs.write(layout.kwok_config)
    kubeconfigs = {layout.kubeconfig: ("admin", ADMIN_GROUP)}
    for name, identity in commands.COMPONENT_USERS.items():
        kubeconfigs[layout.component_kubeconfig(name)] = identity
    for path, (user, group) in kubeconfigs.items():
        path.write_text(authority.kubeconfig(ports.api_url, authority.credentials(user, group)))
        path.chmod(0o600)


def _start(programs: Mapping[str, Program], layout: Layout, control: Control, progress: Progress) -> None:
    """Each as soon as what it needs is there: etcd, API server, then the others at once."""
    waves = (("etcd",), ("kube-apiserver",), ("kube-controller-manager", "kube-scheduler", "kwok"))
    for wave in waves:
        progress(f"starting {', '.join(wave)}")
        for name in wave:
            control.run(programs[name])
        for name in wave:
            wait_healthy(name, layout, control)


def _reset(layout: Layout, control: Control) -> None:
    for name in control.status():
        control.kill(name)
    shutil.rmtree(layout.etcd, ignore_errors=True)


def wait_healthy(name: str, layout: Layout, control: Control) -> None:
    """Wait until the program's health address answers 200.

    Raises TestbedError with the end of the program's log when it ends or does not get there.
    """
    with urllib3.PoolManager(ca_certs=str(layout.pki / "ca.crt"), retries=False, timeout=_PROBE_SECONDS) as connections:
        try:
            wait_for(
                f"{name} to be healthy",
                lambda: _is_healthy(name, layout, control, connections),
                HEALTH_LIMIT_SECONDS,
            )
        except PortTaken:
            raise
        except TestbedError as failure:
            raise TestbedError(f"{failure}\nThe end of its log:\n{tail(layout.log_of(name))}") from None


def _is_healthy(name: str, layout: Layout, control: Control, connections: urllib3.PoolManager) -> bool:
    status = control.status()[name]
    if not status.running:
        # Asked first: what answers on the port of a program that ended is somebody else.
        if "address already in use" in tail(layout.log_of(name)).lower():
            raise PortTaken(f"{name} found its port taken")
        raise TestbedError(f"{name} ended with code {status.code} before it was healthy")
    if status.health is None:
        return True
    if status.health.startswith("file:"):
        return _names_process(Path(unquote(urlsplit(status.health).path)), status)
    try:
        return connections.request("GET", status.health).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _names_process(file: Path, status: ProgramStatus) -> bool:
    """Whether the file is this very process's, not that of one before it."""
    try:
        return file.read_text().split()[:1] == [str(status.pid)]
    except FileNotFoundError:
        return False
