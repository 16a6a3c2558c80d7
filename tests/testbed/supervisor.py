"""`python -m tests.testbed.supervisor FOLDER`: owns one testbed's folder and processes, from first to last.

It answers one JSON line per connection on the socket `control` in the folder, and removes everything when it
gets SIGTERM or, while attached, when its standard input ends: its starter holds the other end and is gone.
When it is itself killed, the kernel kills its programs (exec_child.py) and the next sweep removes the folder
(instances.py).
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.testbed import instances
from tests.testbed.children import Child
from tests.testbed.commands import Program
from tests.testbed.errors import TestbedError
from tests.testbed.layout import REPOSITORY, Layout

SOCKET = "control"
_REQUEST_BYTES = 2**20  # the operator's whole environment fits


class Supervisor:
    """The programs of one testbed, and the requests about them."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._children: dict[str, Child] = {}
        self._attached = True
        self._over = asyncio.Event()

    async def serve(self) -> None:
        """Answer requests until it is over; then no program of this testbed runs any more."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._over.set)
        loop.add_reader(sys.stdin.fileno(), self._starter_is_gone)
        folder = os.open(self._layout.root, os.O_PATH | os.O_DIRECTORY)
        # By way of the descriptor: a socket's path may have 107 characters, and the folder's may have more.
        path = f"/proc/self/fd/{folder}/{SOCKET}"
        server = await asyncio.start_unix_server(self._answer, path=path, limit=_REQUEST_BYTES)
        _report({})
        _redirect_output(self._layout.log_of("supervisor"))
        try:
            await self._over.wait()
        finally:
            server.close()
            await asyncio.gather(*(child.kill() for child in self._children.values()))

    def _starter_is_gone(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        if self._attached:
            self._over.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            try:
                answer = await self._act(json.loads(await reader.readline()))
            except (TestbedError, OSError) as problem:
                answer = {"error": str(problem)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()

    async def _act(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._over.is_set():  # a program that starts now would outlive the folder's removal
            raise TestbedError("the testbed is ending")
        match request:
            case {"do": "run", "program": dict(fields)}:
                self._run(Program(**(fields | {"argv": tuple(fields["argv"])})))
            case {"do": "start", "name": str(name)}:
                self._child(name).start()
            case {"do": "stop", "name": str(name), "limit": float(limit)}:
                await self._child(name).stop(limit)
            case {"do": "kill", "name": str(name)}:
                await self._child(name).kill()
            case {"do": "detach"}:
                self._attached = False
            case {"do": "status"}:
                pass
            case _:
                raise TestbedError(f"unknown request {request}")
        return {"programs": [child.status() for child in self._children.values()]}

    def _run(self, program: Program) -> None:
        """Start a program that is new, or known and ended; from now on `start` means this command line."""
        known = self._children.get(program.name)
        if known is not None and known.running:
            raise TestbedError(f"{program.name} runs already")
        child = Child(program, log=self._layout.log_of(program.name), home=self._layout.root, cwd=REPOSITORY)
        self._children[program.name] = child
        child.start()

    def _child(self, name: str) -> Child:
        if name not in self._children:
            known = ", ".join(self._children) or "none"
            raise TestbedError(f"this testbed has no program {name!r}; it has: {known}")
        return self._children[name]


def _report(answer: dict[str, str]) -> None:
    """Tell the starter how the start went; it waits for this line."""
    print(json.dumps(answer), flush=True)


def _redirect_output(log: Path) -> None:
    """Let go of the starter's pipes, so that what reads its output sees the end when the starter ends."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())


def main(directory: Path) -> int:
    try:
        instance, locks = instances.claim(directory)
    except TestbedError as problem:
        _report({"error": str(problem)})
        return 2
    except OSError as problem:
        _report({"error": f"{problem.filename}: {problem.strerror}"})
        return 2
    layout = Layout(directory)
    layout.logs.mkdir()
    try:
        asyncio.run(Supervisor(layout).serve())
    finally:
        instances.discard(instance)
        for lock in locks:
            lock.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
