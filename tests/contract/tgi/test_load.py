"""Load and rudeness, on loopback, bounded in count and time. The double must answer afterwards."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import PORT, Double, double

STREAMS = 256
TOKENS = 40
CONNECTIONS = 10_000
AT_ONCE = 500
HELD = 400
SECONDS = 30.0


def request_bytes(path: str, body: object) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


@contextmanager
def connected(one: Double, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    with socket.socket() as connection:
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(10)
        connection.connect((one.address, PORT))
        yield connection


def cpu_seconds(one: Double) -> float:
    fields = Path(f"/proc/{one.running.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_256_streams_at_once(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    env = {"MAX_CONCURRENT_REQUESTS": str(STREAMS), "DOUBLE_TOKEN_SECONDS": "0.03"}
    with double(tmp_path / "one", env) as one:
        asking = Asking(http, one.url, one.control)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=SECONDS)) as many:
            streams = Asking(many, one.url, one.control)
            before, began = cpu_seconds(one), time.monotonic()
            asked = [
                asyncio.create_task(streams.stream(f"question {number}", max_new_tokens=TOKENS))
                for number in range(STREAMS)
            ]
            await asking.until(lambda state: state["batch"] == STREAMS)
            assert (await asking.generate("one more")).status == 429
            answers = await asyncio.gather(*asked)
            used, took = cpu_seconds(one) - before, time.monotonic() - began
        assert [len(answer.events) for answer in answers] == [TOKENS] * STREAMS
        print(f"{STREAMS} streams of {TOKENS} tokens: {used:.2f} s of CPU in {took:.2f} s")
        assert used < SECONDS / 2
        state = await asking.state()
        assert (state["free_permits"], state["batch"], state["queue"]) == (STREAMS, 0, 0)


async def test_10000_connections_are_refused_politely(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """As many as may be are held and say nothing; all others are told 503, and none is left waiting."""
    with double(tmp_path / "one", {"DOUBLE_MAX_CONNECTIONS": str(HELD)}) as one:
        asking = Asking(http, one.url, one.control)
        with ExitStack() as held:
            for _ in range(HELD):
                held.enter_context(connected(one))
            await asking.until(lambda state: state["connections"] == HELD)
            began = time.monotonic()
            for _ in range(CONNECTIONS // AT_ONCE):
                await asyncio.to_thread(refused_ones, one)
                assert time.monotonic() - began < SECONDS
            assert (await asking.state())["connections"] == HELD
        await asking.until(lambda state: state["connections"] == 0)
        assert (await asking.get("/health")).status == 200
        assert (await asking.generate("one", max_new_tokens=1)).status == 200


def refused_ones(one: Double) -> None:
    with ExitStack() as stack:
        several = [stack.enter_context(connected(one)) for _ in range(AT_ONCE)]
        for connection in several:
            assert connection.recv(100).startswith(b"HTTP/1.1 503 Service Unavailable")


LONG = {
    "MAX_CONCURRENT_REQUESTS": "8",
    "MAX_INPUT_TOKENS": "100",
    "MAX_TOTAL_TOKENS": "12000",
    "MAX_BATCH_PREFILL_TOKENS": "200",
    "DOUBLE_KV_TOKENS": "100000",
    "DOUBLE_ANSWER_TOKENS": "8000",
    "DOUBLE_TOKEN_SECONDS": "0",
}


@pytest.fixture(scope="module")
def long_winded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """Its answers are longer than what a connection's buffers take."""
    folder: Path = tmp_path_factory.mktemp("long")
    with double(folder, LONG) as one:
        yield one


@pytest.fixture
async def rude(long_winded: Double, http: aiohttp.ClientSession) -> AsyncIterator[Asking]:
    asking = Asking(http, long_winded.url, long_winded.control)
    yield asking
    await asking.until(lambda state: state["free_permits"] == 8 and state["batch"] == 0 and state["queue"] == 0)
    assert (await asking.generate("one", max_new_tokens=1)).status == 200


async def test_slow_readers_keep_their_permit_and_slow_nobody(long_winded: Double, rude: Asking) -> None:
    body = {"inputs": "one", "parameters": {"max_new_tokens": 8000, "top_n_tokens": 5}}
    with ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(connected(long_winded, receive_buffer=4096))
            connection.sendall(request_bytes("/generate_stream", body))
        await rude.until(lambda state: state["batch"] == 2)
        assert (await rude.generate("one", max_new_tokens=5)).status == 200
        await rude.until(lambda state: state["batch"] == 0)  # the engine has long said all
        assert (await rude.state())["free_permits"] == 6


async def test_half_closed_connections(long_winded: Double, rude: Asking) -> None:
    """Who says that it won't send any more is taken to have gone away."""
    body = {"inputs": "one", "parameters": {"max_new_tokens": 8000}}
    for path in ("/generate", "/generate_stream"):
        with connected(long_winded) as connection:
            connection.sendall(request_bytes(path, body))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


async def test_half_sent_requests(long_winded: Double, rude: Asking) -> None:
    whole = request_bytes("/generate", {"inputs": "one"})
    with ExitStack() as stack:
        for end in (1, 20, len(whole) // 2, len(whole) - 1):
            for _ in range(10):
                stack.enter_context(connected(long_winded)).sendall(whole[:end])
        await rude.until(lambda state: state["connections"] >= 40)
        assert (await rude.get("/health")).status == 200


async def test_connections_reset_in_the_middle(long_winded: Double, rude: Asking) -> None:
    body = {"inputs": "one", "parameters": {"max_new_tokens": 8000}}
    for _ in range(30):
        with connected(long_winded) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.sendall(request_bytes("/generate_stream", body))
            connection.recv(10)
