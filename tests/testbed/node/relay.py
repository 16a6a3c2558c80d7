"""`python -m tests.testbed.node.relay PID READY_FILE PORT…`: the machine's loopback ports lead to the node's.

A socket stays in the network namespace where it was made: this process opens its listeners on the machine,
then goes into the node's namespace for good and makes its connections there. Nothing in the node can reach the
machine by it.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.testbed.layout import LOOPBACK
from tests.testbed.node import kernel

_CHUNK_BYTES = 2**16


async def serve(listeners: Mapping[int, socket.socket]) -> None:
    """Relay until killed."""
    for port, listener in listeners.items():
        await asyncio.start_server(_handler(port), sock=listener)
    await asyncio.Event().wait()


def main(pid: str, ready_file: Path, ports: list[int]) -> None:
    listeners = {port: socket.create_server((LOOPBACK, port), backlog=512) for port in ports}
    kernel.enter(Path("/proc") / pid / "ns" / "net")
    ready_file.write_text(str(os.getpid()))  # who connects from now on waits in the backlog
    asyncio.run(serve(listeners))


def _handler(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            try:
                there = await asyncio.open_connection(LOOPBACK, port)
            except OSError:
                return  # the program does not run: its client sees a closed connection
            with contextlib.closing(there[1]):
                await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))

    return handle


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until this direction is over; the other may go on."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [int(port) for port in sys.argv[3:]])
