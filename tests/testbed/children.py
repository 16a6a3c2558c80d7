"""One program under the supervisor, which is its parent and the only one to signal it. Linux only (pidfd)."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.testbed.commands import Program
from tests.testbed.errors import TestbedError

_EXEC = str(Path(__file__).with_name("exec_child.py"))


class Child:
    """A program that can be started, stopped and killed any number of times; its log only grows."""

    def __init__(self, program: Program, *, log: Path, home: Path, cwd: Path) -> None:
        self.program = program
        self._log = log
        self._cwd = cwd
        self._env = {"PATH": os.defpath, "HOME": str(home)} | program.env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Only from the supervisor's main thread: the kernel ties the program's life to its thread."""
        if self.running:
            raise TestbedError(f"{self.program.name} runs already")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", _EXEC, str(os.getpid()), *self.program.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                cwd=self._cwd,
                process_group=0,
            )

    async def stop(self, limit_seconds: float) -> None:
        """SIGTERM, and wait; raises TestbedError when the program runs on beyond the limit."""
        if self._process is None or not self.running:
            raise TestbedError(f"{self.program.name} does not run")
        self._process.terminate()
        try:
            await asyncio.wait_for(_end_of(self._process), limit_seconds)
        except TimeoutError as late:
            problem = f"{self.program.name} has its SIGTERM and runs on after {limit_seconds:.0f} s"
            raise TestbedError(problem) from late

    async def kill(self) -> None:
        """SIGKILL to the program and what it started, and wait. No error when it does not run."""
        if self._process is not None and self.running:
            # It leads its process group and was not reaped a moment ago: the number is still its own.
            os.killpg(self._process.pid, signal.SIGKILL)
            await _end_of(self._process)

    def status(self) -> dict[str, Any]:
        """Pid and health address; `code` is None while it runs."""
        process = self._process
        return {
            "name": self.program.name,
            "health": self.program.health,
            "pid": process.pid if process else None,
            "code": process.poll() if process else None,
        }


async def _end_of(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process that was not reaped yet, and reap it."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)  # readable once the process has ended
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    process.wait()
