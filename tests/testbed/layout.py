"""Where a testbed keeps its files and which ports it has."""

import json
import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tests.testbed.errors import TestbedError

LOOPBACK = "127.0.0.1"
NODE_ADDRESS = "10.0.0.10"
"""Where a real node is, in a network of its own. Without one it leads nowhere."""
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
"""Of the Service `kubernetes`: always the range's first."""
REPOSITORY = Path(__file__).resolve().parents[2]
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST_PORT = 10_000


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below a testbed's folder."""

    root: Path

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.root / "audit.log"

    @property
    def audit_policy(self) -> Path:
        return self.root / "audit-policy.yaml"

    @property
    def engine_logs(self) -> Path:
        return self.root / "engine-logs"

    @property
    def kwok_config(self) -> Path:
        return self.engine_logs / "kwok.yaml"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    def log_of(self, program: str) -> Path:
        return self.logs / f"{program}.log"

    def component_kubeconfig(self, name: str) -> Path:
        return self.root / f"{name}.kubeconfig"


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per listener, all on the loopback address."""

    etcd: int
    etcd_peer: int
    api: int
    controllers: int
    scheduler: int
    kwok: int
    operator: int
    kubelet: int
    proxy: int
    agent: int
    guard: int
    guard_2: int
    argocd_cache: int
    argocd_repositories: int
    argocd_repositories_health: int
    argocd_controller: int

    @property
    def api_url(self) -> str:
        return f"https://{LOOPBACK}:{self.api}"

    @property
    def operator_url(self) -> str:
        return f"http://{LOOPBACK}:{self.operator}"

    def save(self, layout: Layout) -> None:
        layout.ports.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, layout: Layout) -> "Ports":
        return cls(**json.loads(layout.ports.read_text()))


def allot_ports() -> Ports:
    """Distinct ports that are free now. Who loses the race for one of them starts again with others.

    They lie below the range that the kernel hands out by itself: while a program is stopped, no client's
    outgoing connection can sit on its port, and clients that retry can't end up connected to themselves.
    """
    with ExitStack() as held:
        free = _free_ports(held)
        return Ports(*(next(free) for _ in fields(Ports)))


def _free_ports(held: ExitStack) -> Iterator[int]:
    """Endless free ports, each kept bound by `held`, so that none comes twice."""
    highest = int(_EPHEMERAL_RANGE.read_text().split()[0]) - 1
    for _ in range(1_000):
        port = random.randint(min(_LOWEST_PORT, highest), highest)  # noqa: S311
        candidate = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            continue
        yield port
    raise TestbedError(f"no free ports between {_LOWEST_PORT} and {highest}")


def tail(file: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message; says so when there is none."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 16_384))
            text = log.read().decode(errors="replace")
    except OSError:
        return f"(no log at {file})"
    return "\n".join(text.splitlines()[-lines:]) or f"({file} is empty)"
