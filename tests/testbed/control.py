"""The supervisor, seen from outside: start it, ask it."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.testbed import instances
from tests.testbed.commands import Program
from tests.testbed.errors import TestbedError
from tests.testbed.layout import REPOSITORY
from tests.testbed.supervisor import SOCKET

STOP_LIMIT_SECONDS = 30.0
_ANSWER_LIMIT_SECONDS = STOP_LIMIT_SECONDS + 10


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One program, as the supervisor sees it. `code`: exit status, or minus the signal, or None: it runs."""

    name: str
    health: str | None
    pid: int | None
    code: int | None

    @property
    def running(self) -> bool:
        return self.pid is not None and self.code is None


def start_supervisor(directory: Path) -> subprocess.Popen[str]:
    """Start a supervisor that owns the folder and ends with this process, until `detach`."""
    command = [sys.executable, "-m", "tests.testbed.supervisor", str(directory)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as reports:
        line = reports.readline()
    problem = json.loads(line).get("error") if line else "the testbed's supervisor ended at its start"
    if problem:
        release(process)
        raise TestbedError(problem)
    return process


def release(process: subprocess.Popen[str]) -> None:
    """Close our end of an attached supervisor's life line, which ends it, and wait for that."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


class Control:
    """Requests to the supervisor of one testbed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self, program: Program) -> None:
        self._ask(do="run", program=asdict(program))

    def start(self, name: str) -> None:
        self._ask(do="start", name=name)

    def stop(self, name: str, limit_seconds: float = STOP_LIMIT_SECONDS) -> None:
        self._ask(do="stop", name=name, limit=float(limit_seconds))

    def kill(self, name: str) -> None:
        self._ask(do="kill", name=name)

    def detach(self) -> None:
        """From now on the testbed outlives its starter."""
        self._ask(do="detach")

    def status(self) -> dict[str, ProgramStatus]:
        return {each["name"]: ProgramStatus(**each) for each in self._ask(do="status")["programs"]}

    def _ask(self, **request: object) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._exchange(json.dumps(request).encode() + b"\n"))
        if "error" in answer:
            raise TestbedError(answer["error"])
        return answer

    def _exchange(self, line: bytes) -> bytes:
        try:
            folder = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
        except OSError as missing:
            raise self._not_running() from missing
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_ANSWER_LIMIT_SECONDS)
                connection.connect(f"/proc/self/fd/{folder}/{SOCKET}")
                connection.sendall(line)
                with connection.makefile("rb") as answers:
                    return answers.readline() or b'{"error": "the testbed ended meanwhile"}'
        except OSError as refused:
            raise self._not_running() from refused
        finally:
            os.close(folder)

    def _not_running(self) -> TestbedError:
        if instances.at(self._directory) is None:
            return TestbedError(f"{self._directory} is not a testbed")
        return TestbedError(f"the testbed in {self._directory} does not run any more: end it with `down`")
