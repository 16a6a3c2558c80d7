"""The operator of this repository in a process that starts within a fraction of a second, as often as a test kills it.

Forked from a process that has everything imported: a campaign of some hundred crashes would spend most of its time on
imports. What runs is what the command line runs once it has parsed its options.
"""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Final, TypeAlias

from kubernetes import config as kubeconfigs
from kubernetes.client import Configuration

from meditron_operator import logs
from meditron_operator.config import Config
from meditron_operator.errors import FatalError
from meditron_operator.shell import operator
from tests.testbed.install import NAMESPACE

END_SECONDS: Final = 20.0
_CRASHED: Final = "pass crashed"

Clock: TypeAlias = "Synchronized[float]"
"""Seconds by which a process's wall clock is off."""

_nursery: Final = multiprocessing.get_context("forkserver")
_nursery.set_forkserver_preload(["__main__", __name__])


@dataclass(frozen=True, slots=True)
class Start:
    """What a process needs to know."""

    kubeconfig: Path
    log: Path
    identity: str = "operator"
    namespace: str = NAMESPACE
    """Where its lease is."""
    request_timeout_seconds: float = 5.0
    health_port: int = 0  # one that nobody knows
    resync_seconds: float = 600.0

    def config(self) -> Config:
        return Config(
            operator_namespace=self.namespace,
            identity=self.identity,
            health_host="127.0.0.1",
            health_port=self.health_port,
            request_timeout_seconds=self.request_timeout_seconds,
            resync_seconds=self.resync_seconds,
        )


class Operator:
    """One operator that may be started again and again."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._process: BaseProcess | None = None
        self._clock: Clock = _nursery.Value("d", 0.0)

    @property
    def log(self) -> Path:
        return self._start.log

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def start(self) -> None:
        """Begin; what it then does shows in the cluster."""
        self._process = _nursery.Process(target=_run, args=(self._start, self._clock), daemon=True)
        self._process.start()

    def set_clock(self, offset_seconds: float) -> None:
        """Have its wall clock jump, to so many seconds off from the true time. No other clock of it does."""
        self._clock.value = offset_seconds

    def peak_mib(self) -> float:
        """The most memory that it has had resident so far."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.join(END_SECONDS)

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        assert self._process is not None
        self._process.terminate()
        self._process.join(END_SECONDS)
        assert not self._process.is_alive(), f"runs on {END_SECONDS} s after its SIGTERM: {self._start.log}"

    def crashes(self) -> list[str]:
        """Lines of the log about what nobody foresaw."""
        lines = self._start.log.read_text().splitlines() if self._start.log.exists() else []
        return [line for line in lines if _CRASHED in line or "Traceback" in line]


@contextmanager
def running(start: Start, clock: float = 0.0) -> Iterator[Operator]:
    """An operator that runs, with a wall clock that is so many seconds off, and at the end does not."""
    one = Operator(start)
    one.set_clock(clock)
    one.start()
    try:
        yield one
    finally:
        one.kill()


def _run(start: Start, clock: Clock) -> None:
    with start.log.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    threading.Thread(target=_end_with_the_tests, daemon=True).start()
    logs.configure("info")
    configuration = Configuration()
    kubeconfigs.load_kube_config(str(start.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    try:
        operator.run(start.config(), configuration, lambda: datetime.now(UTC) + timedelta(seconds=clock.value))
    except FatalError as error:  # as the command line: one line, and exit code 1
        print(f"meditron operator: {error}", flush=True)
        raise SystemExit(1) from None


def _end_with_the_tests() -> None:
    """Whoever started this process may be killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
