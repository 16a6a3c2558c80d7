"""Runs in test pods, on the node and beside it.

`serve PORT` takes TCP connections and echoes datagrams; `ask JSON` tries a list of [protocol, address, port] at
once and prints one outcome for each.
"""

import asyncio
import json
import sys

_LIMIT_SECONDS = 2.5
"""With room for one SYN that is sent again after a second."""

CONNECTS, REFUSED, SILENT = "connects", "refused", "silent"


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(data, addr)


class _Question(asyncio.DatagramProtocol):
    """Sends one datagram; `answered` is whether one comes back."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        transport.sendto(b"?")

    def datagram_received(self, _data: bytes, _addr: tuple[str, int]) -> None:
        self._is(CONNECTS)

    def error_received(self, _error: Exception) -> None:
        self._is(REFUSED)

    def _is(self, outcome: str) -> None:
        if not self.answered.done():
            self.answered.set_result(outcome)


async def _serve(port: int) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    await asyncio.get_running_loop().create_datagram_endpoint(_Echo, local_addr=("0.0.0.0", port))  # noqa: S104
    server = await asyncio.start_server(hang_up, "0.0.0.0", port)  # noqa: S104
    await server.serve_forever()


async def _tcp(address: str, port: int) -> str:
    _, writer = await asyncio.open_connection(address, port)
    writer.close()
    return CONNECTS


async def _udp(address: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    transport, question = await loop.create_datagram_endpoint(_Question, remote_addr=(address, port))
    try:
        return await question.answered
    finally:
        transport.close()


async def _attempt(protocol: str, address: str, port: int) -> str:
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            return await (_udp if protocol == "udp" else _tcp)(address, port)
    except TimeoutError:
        return SILENT
    except OSError:
        return REFUSED


async def _ask(targets: list[tuple[str, str, int]]) -> None:
    print(json.dumps(await asyncio.gather(*(_attempt(*target) for target in targets))))


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[2])) if sys.argv[1] == "serve" else _ask(json.loads(sys.argv[2])))
