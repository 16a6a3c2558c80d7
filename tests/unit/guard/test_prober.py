"""Who answers, who only takes the call, who says nothing; and an engine that says whether it has work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from meditron_operator.core.guard.proof import Answer
from meditron_operator.shell.guard import prober
from meditron_operator.shell.guard.prober import Prober


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncIterator[int]:
    """A server that says this to everybody; None: nothing at all."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is not None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        else:
            await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def http(code: int, body: str = "") -> bytes:
    return f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("says", "answer"),
    [
        (http(200), Answer.HTTP),
        (http(503), Answer.HTTP),
        (http(302), Answer.HTTP),
        (b"SSH-2.0-OpenSSH\r\n", Answer.CONNECTION),
        (b"", Answer.CONNECTION),
        (None, Answer.CONNECTION),
    ],
)
async def test_what_an_address_answers(says: bytes | None, answer: Answer) -> None:
    asks = Prober()
    try:
        async with listening(says) as port, asyncio.timeout(5):
            assert await asks.answers({("127.0.0.1", port)}) == {("127.0.0.1", port): answer}
    finally:
        await asks.close()


async def test_many_silent_addresses_take_no_longer_than_one() -> None:
    asks = Prober()
    try:
        async with asyncio.timeout(3 * prober.LIMIT_SECONDS):
            found = await asks.answers({("192.0.2.200", port) for port in range(1, 100)} | {("127.0.0.1", 1)})
        assert set(found.values()) == {Answer.NONE}
    finally:
        await asks.close()


async def test_idle_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = Prober()
    try:
        for body, idle in (("tgi_batch_current_size 0\ntgi_queue_size 0\n", True), ("", False)):
            async with listening(http(200, body)) as port:
                monkeypatch.setattr(prober, "ENGINE_PORT", port)
                assert await asks.is_idle("127.0.0.1") is idle
        assert not await asks.is_idle("127.0.0.1")  # nobody listens any more
    finally:
        await asks.close()
