"""Faults on demand: each does what it says, and ends when it is taken back."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking, next_token
from tests.contract.tgi.doubles import Double, double

FAILED = {
    "error": "Request failed during generation: Server error: CUDA out of memory.",
    "error_type": "generation",
}
BODY = {"inputs": "one", "parameters": {"max_new_tokens": 50}}


async def test_a_failed_forward_pass_is_424_and_the_next_request_works(engine: Asking) -> None:
    await engine.faults(forward_failures=1)
    told = await engine.generate("one", max_new_tokens=1)
    assert (told.status, told.json) == (424, FAILED)
    assert (await engine.get("/health")).status == 200
    assert (await engine.generate("one", max_new_tokens=1)).status == 200


async def test_a_failed_forward_pass_in_a_stream(engine: Asking) -> None:
    async with engine.http.post(f"{engine.url}/generate_stream", json=BODY) as answer:
        await next_token(answer)
        await engine.faults(forward_failures=1)
        async with asyncio.timeout(10):
            while "error" not in (event := await next_token(answer)):
                pass
    assert event == FAILED


async def test_after_a_failure_health_tries_a_prefill(engine: Asking) -> None:
    """503 as long as that fails, then 200 again."""
    assert (await engine.get("/health")).status == 200
    await engine.faults(forward_failures=-1)
    assert (await engine.get("/health")).status == 200  # nothing has failed yet, so only the device is asked
    await engine.generate("one", max_new_tokens=1)
    told = await engine.get("/health")
    assert (told.status, told.json) == (503, {"error": "unhealthy", "error_type": "healthcheck"})
    await engine.faults(forward_failures=1)
    assert (await engine.get("/health")).status == 503
    assert (await engine.get("/health")).status == 200


async def test_the_whole_batch_is_lost_with_a_failed_pass(engine: Asking) -> None:
    await engine.faults(hang=True)
    asked = [asyncio.create_task(engine.generate("one", max_new_tokens=50)) for _ in range(3)]
    await engine.until(lambda state: state["batch"] + state["queue"] == 3)
    await engine.faults(hang=False, token_delay_seconds=0.02)
    await engine.until(lambda state: state["batch"] == 3)
    await engine.faults(forward_failures=1, failure_text="NCCL error")
    answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {424}
    assert answers[0].json["error"] == "Request failed during generation: Server error: NCCL error"
    assert (await engine.state())["free_blocks"] == 16000 - 1


async def test_slow_health(engine: Asking) -> None:
    await engine.faults(health_delay_seconds=0.2)
    began = time.monotonic()
    assert (await engine.get("/health")).status == 200
    assert time.monotonic() - began >= 0.2


async def test_slow_tokens(engine: Asking) -> None:
    await engine.faults(token_delay_seconds=0.05)
    began = time.monotonic()
    await engine.generate("one", max_new_tokens=4)
    assert time.monotonic() - began >= 0.2


async def test_a_hang_stops_tokens_and_health(engine: Asking) -> None:
    await engine.faults(hang=True)
    for ask in (engine.get("/health"), engine.generate("one", max_new_tokens=1)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask
    assert (await engine.get("/info")).status == 200  # the router itself lives
    await engine.faults(hang=False)
    assert (await engine.get("/health")).status == 200


async def test_a_stream_is_cut(engine: Asking) -> None:
    await engine.faults(cut_after_tokens=3)
    async with engine.http.post(f"{engine.url}/generate_stream", json=BODY) as answer:
        assert [(await next_token(answer))["index"] for _ in range(3)] == [1, 2, 3]
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    await engine.until(lambda state: state["free_permits"] == 64)


async def test_a_stream_stalls_until_the_fault_is_taken_back(engine: Asking) -> None:
    await engine.faults(stall_after_tokens=2)
    async with engine.http.post(f"{engine.url}/generate_stream", json=BODY) as answer:
        for _ in range(2):
            await next_token(answer)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await next_token(answer)
        await engine.faults(stall_after_tokens=0)
        assert (await next_token(answer))["index"] == 3


async def test_an_answer_without_its_last_message_is_incomplete(engine: Asking) -> None:
    await engine.faults(incomplete_after_tokens=3)
    told = await engine.generate("one", max_new_tokens=10)
    assert (told.status, told.json) == (
        500,
        {"error": "Incomplete generation", "error_type": "incomplete_generation"},
    )
    streamed = await engine.stream("one", max_new_tokens=10)
    assert streamed.events[-1] == {
        "error": "Incomplete generation stream",
        "error_type": "incomplete_generation_stream",
    }
    await engine.until(lambda state: state["batch"] == 0 and state["free_permits"] == 64)


async def test_a_silent_stream_is_kept_alive(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with double(tmp_path / "one", {"DOUBLE_KEEPALIVE_SECONDS": "0.1"}) as one:
        asking = Asking(http, one.url, one.control)
        await asking.faults(stall_after_tokens=1)
        async with http.post(f"{one.url}/generate_stream", json=BODY) as answer:
            await next_token(answer)
            async with asyncio.timeout(10):
                assert [await answer.content.readline() for _ in range(3)] == [b"\n", b":\n", b"\n"]


@pytest.mark.parametrize(
    ("crash", "code"),
    [("exit:3", 3), ("signal:9", -signal.SIGKILL), ("signal:11", -signal.SIGSEGV), ("shard", 1), ("oom", 1)],
)
async def test_a_crash_while_it_serves(tmp_path: Path, http: aiohttp.ClientSession, crash: str, code: int) -> None:
    with double(tmp_path / "one") as one:
        await Asking(http, one.url, one.control).faults(crash=crash)
        assert one.wait_end() == code
        if code == 1:
            assert "ERROR text_generation_launcher: Shard 0 crashed" in one.log
            assert one.errors == "Error: ShardFailed\n"
        assert ("signaled to shutdown with signal 9" in one.log) == (crash == "oom")


async def test_a_crashed_shard_fails_what_was_under_way(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with double(tmp_path / "one", {"DOUBLE_TOKEN_SECONDS": "0.05"}) as one:
        asking = Asking(http, one.url, one.control)
        asked = asyncio.create_task(asking.generate("one", max_new_tokens=200))
        await asking.until(lambda state: state["batch"] == 1)
        await asking.faults(crash="shard")
        told = await asked
        assert (told.status, told.json["error_type"]) == (424, "generation")
        assert one.wait_end() == 1


def test_a_crash_by_the_environment(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"DOUBLE_CRASH": "exit:4", "DOUBLE_CRASH_AFTER_SECONDS": "0.2"}) as one:
        assert one.wait_end() == 4


async def test_memory_is_really_used(engine: Asking, shared: Double) -> None:
    def resident_mib() -> int:
        text = Path(f"/proc/{shared.running.pid}/status").read_text(encoding="ascii")
        return int(text.split("VmRSS:")[1].split()[0]) // 1024

    before = resident_mib()
    await engine.faults(memory_mib=64)
    await engine.get("/health")
    assert resident_mib() >= before + 60
    await engine.faults(memory_mib=0)
    await engine.get("/health")
    assert resident_mib() < before + 60


async def test_a_crash_can_be_taken_back(engine: Asking, shared: Double) -> None:
    await engine.faults(crash="exit:3", crash_after_seconds=0.2)
    await engine.reset_faults()
    await asyncio.sleep(0.3)  # longer than it would have taken
    assert shared.running.poll() is None


async def test_control_refuses_what_is_no_fault(engine: Asking, shared: Double) -> None:
    wrong: list[Any] = [
        {"hnag": True},
        {"hang": 1},
        {"forward_failures": "2"},
        {"crash": "now"},
        {"load": "x"},
        {"memory_mib": 9999},
        [],
        3,
    ]
    for body in wrong:
        async with engine.http.post(f"{shared.control}/faults", json=body) as answer:
            assert answer.status == 400
    async with engine.http.post(f"{shared.control}/faults", data=b"{") as answer:
        assert answer.status == 400
    async with engine.http.get(f"{shared.control}/faults") as answer:
        now = await answer.json()
    assert not any(now[name] for name in ("hang", "crash", "forward_failures"))


async def test_the_served_port_knows_no_faults(engine: Asking) -> None:
    for path in ("/faults", "/state"):
        assert (await engine.get(path)).status == 404
        assert (await engine.post(path, {})).status == 404
