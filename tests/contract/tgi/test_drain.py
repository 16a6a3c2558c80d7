"""SIGTERM: nobody new, everybody else to the end, and not longer than the limit."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking, next_token
from tests.contract.tgi.doubles import Double, double

BODY = {"inputs": "one", "parameters": {"max_new_tokens": 40}}
SLOW = {"DOUBLE_TOKEN_SECONDS": "0.02"}


async def until_closed(one: Double) -> None:
    async with asyncio.timeout(5):
        while one.is_open():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("path", ["/generate_stream", "/generate"])
async def test_what_is_under_way_is_finished(tmp_path: Path, http: aiohttp.ClientSession, path: str) -> None:
    with double(tmp_path / "one", SLOW) as one:
        asking = Asking(http, one.url, one.control)
        asked = asyncio.create_task(asking.post(path, BODY))
        await asking.until(lambda state: state["batch"] == 1)
        one.terminate()
        await until_closed(one)
        assert not asked.done()
        told = await asked
        assert told.status == 200
        text = told.events[-1]["generated_text"] if path == "/generate_stream" else told.json["generated_text"]
        assert len(text.split()) == 40
        assert one.wait_end() == 0
        for line in ("signal received, starting graceful shutdown", "webserver terminated", "shard terminated"):
            assert line in one.log


def test_without_work_it_ends_at_once(tmp_path: Path) -> None:
    with double(tmp_path / "one") as one:
        began = time.monotonic()
        one.terminate()
        assert one.wait_end() == 0
        assert time.monotonic() - began < 3


async def test_idle_connections_do_not_hold_it_up(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with double(tmp_path / "one") as one:
        await Asking(http, one.url, one.control).get("/health")  # the session keeps its connection
        _, writer = await asyncio.open_connection(one.address, 8080)
        one.terminate()
        assert await asyncio.to_thread(one.wait_end) == 0
        writer.close()


async def test_the_limit_ends_what_takes_longer(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with double(tmp_path / "one", {"GRACEFUL_TERMINATION_TIMEOUT": "1"}) as one:
        asking = Asking(http, one.url, one.control)
        await asking.faults(hang=True)
        asked = asyncio.create_task(asking.generate("one", max_new_tokens=1))
        await asking.until(lambda state: state["batch"] == 1)
        began = time.monotonic()
        one.terminate()
        with pytest.raises(aiohttp.ClientError):
            await asked
        assert 0.9 < time.monotonic() - began < 5
        assert one.wait_end() == 0
        assert "Killing webserver" in one.log


async def test_sigterm_ignored(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with double(tmp_path / "one", {"DOUBLE_IGNORE_SIGTERM": "true"}) as one:
        asking = Asking(http, one.url, one.control)
        async with http.post(f"{one.url}/generate_stream", json=BODY) as answer:
            one.terminate()
            await next_token(answer)
            assert (await asking.get("/health")).status == 200
        await asking.reset_faults()
        one.terminate()
        assert await asyncio.to_thread(one.wait_end) == 0
