"""Permits, the KV cache's budget, the queue, and clients that go away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking, next_token
from tests.contract.tgi.doubles import Double, double

SMALL = {
    "MAX_CONCURRENT_REQUESTS": "4",
    "MAX_INPUT_TOKENS": "80",
    "MAX_TOTAL_TOKENS": "100",
    "MAX_BATCH_PREFILL_TOKENS": "100",
    "DOUBLE_KV_TOKENS": "250",
}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    folder: Path = tmp_path_factory.mktemp("small")
    with double(folder, SMALL) as one:
        yield one


@pytest.fixture
async def small(process: Double, http: aiohttp.ClientSession) -> AsyncIterator[Asking]:
    """Room for two requests of 100 tokens and permits for four."""
    asking = Asking(http, process.url, process.control)
    yield asking
    await asking.reset_faults()
    await asking.until(lambda state: state["free_permits"] == 4 and state["batch"] == 0)


async def failures(small: Asking, kind: str) -> float:
    return (await small.metrics()).get(f'tgi_request_failure{{err="{kind}"}}', 0)


def ask_for(small: Asking, tokens: int) -> "asyncio.Task[object]":
    return asyncio.create_task(small.generate("one", max_new_tokens=tokens))


async def test_a_fifth_of_four_is_told_429_and_a_stream_an_event(small: Asking) -> None:
    before = await failures(small, "overloaded")
    await small.faults(hang=True)
    held = [ask_for(small, 10) for _ in range(4)]
    await small.until(lambda state: state["free_permits"] == 0)
    overloaded = {"error": "Model is overloaded", "error_type": "overloaded"}
    refused = await small.generate("one", max_new_tokens=1)
    assert (refused.status, refused.json) == (429, overloaded)
    streamed = await small.stream("one", max_new_tokens=1)
    assert (streamed.status, streamed.events) == (200, [overloaded])
    chat = await small.chat(stream=True)
    assert chat.events == [{"error": {"message": "Model is overloaded", "http_status_code": 422}}, "[DONE]"]
    assert (await small.chat()).status == 429
    assert await failures(small, "overloaded") == before + 4
    await small.faults(hang=False)
    await asyncio.gather(*held)
    assert (await small.state())["free_permits"] == 4
    assert (await small.generate("one", max_new_tokens=1)).status == 200


async def test_best_of_takes_a_permit_for_each(small: Asking) -> None:
    await small.faults(hang=True)
    held = [ask_for(small, 10) for _ in range(3)]
    await small.until(lambda state: state["free_permits"] == 1)
    assert (await small.generate("one", best_of=2, do_sample=True, max_new_tokens=1)).status == 429
    await small.until(lambda state: state["free_permits"] == 1)
    await small.faults(hang=False)
    await asyncio.gather(*held)


async def test_what_does_not_fit_into_the_cache_waits(small: Asking) -> None:
    """input + max_new_tokens - 1 tokens are reserved, and one block is kept for health checks."""
    await small.faults(hang=True)
    first, second, third = (ask_for(small, 98) for _ in range(3))
    await small.until(lambda state: state["batch"] + state["queue"] == 3)
    await small.faults(hang=False, token_delay_seconds=0.05)
    state = await small.until(lambda state: state["batch"] == 2)
    assert (state["queue"], state["free_blocks"]) == (1, 249 - 2 * 99)
    await small.reset_faults()
    await asyncio.gather(first, second, third)
    state = await small.state()
    assert (state["batch"], state["queue"], state["free_blocks"]) == (0, 0, 249)


async def test_the_gauges_move_with_the_load(small: Asking) -> None:
    await small.faults(token_delay_seconds=0.05)
    held = [ask_for(small, 90) for _ in range(3)]
    await small.until(lambda state: state["batch"] == 2 and state["queue"] == 1)
    metrics = await small.metrics()
    assert metrics["tgi_batch_current_size"] == 2
    assert metrics["tgi_queue_size"] == 1
    assert metrics["tgi_batch_current_max_tokens"] == 2 * 92
    await small.reset_faults()
    await asyncio.gather(*held)
    await small.until(lambda state: state["batch"] == 0)
    metrics = await small.metrics()
    assert (metrics["tgi_batch_current_size"], metrics["tgi_queue_size"]) == (0, 0)


async def test_a_client_that_goes_away_frees_its_place(small: Asking) -> None:
    before = await failures(small, "dropped")
    await small.faults(token_delay_seconds=0.02)
    body = {"inputs": "one", "parameters": {"max_new_tokens": 98}}
    async with small.http.post(f"{small.url}/generate_stream", json=body) as answer:
        await next_token(answer)
        assert (await small.state())["free_permits"] == 3
        answer.close()
    await small.until(lambda state: state["free_permits"] == 4 and state["batch"] == 0)
    assert await failures(small, "dropped") == before + 1


async def test_a_client_that_waits_for_a_whole_answer_and_goes_away_frees_its_place(small: Asking) -> None:
    await small.faults(token_delay_seconds=0.02)
    asked = ask_for(small, 98)
    await small.until(lambda state: state["batch"] == 1)
    asked.cancel()
    await small.until(lambda state: state["free_permits"] == 4 and state["batch"] == 0 and state["free_blocks"] == 249)


async def test_one_that_left_while_it_waited_is_dropped_when_its_turn_comes(small: Asking) -> None:
    before = await failures(small, "dropped")
    await small.faults(hang=True)
    first = ask_for(small, 98)
    await small.until(lambda state: state["batch"] == 1)
    waiting = [ask_for(small, 98) for _ in range(2)]
    await small.until(lambda state: state["queue"] == 2)
    waiting[0].cancel()
    await small.until(lambda state: state["free_permits"] == 2)
    assert (await small.state())["queue"] == 2  # cancelled entries count until they are popped
    await small.faults(hang=False)
    await asyncio.gather(first, waiting[1])
    assert await failures(small, "dropped") == before + 1


async def test_a_long_answer_goes_through_the_queue_again(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """Only 1024 tokens are reserved at once; the rest is asked for when they are used up."""
    env = {
        "MAX_INPUT_TOKENS": "100",
        "MAX_TOTAL_TOKENS": "2000",
        "MAX_BATCH_PREFILL_TOKENS": "200",
        "DOUBLE_KV_TOKENS": "8000",
        "DOUBLE_ANSWER_TOKENS": "5000",
        "DOUBLE_TOKEN_SECONDS": "0",
    }
    with double(tmp_path / "long", env) as one:
        asking = Asking(http, one.url, one.control)
        told = await asking.generate("one", max_new_tokens=1500, details=True)
        assert told.json["details"]["generated_tokens"] == 1500
        metrics = await asking.metrics()
        assert metrics['tgi_batch_inference_count{method="prefill"}'] == 2
        assert metrics["tgi_request_max_new_tokens_sum"] == 1024
        whole = await asking.generate("one", details=True)  # no limit: as many as there is room for
        assert whole.json["details"]["generated_tokens"] == 1998


async def test_the_same_question_has_the_same_answer(engine: Asking) -> None:
    asked = [engine.generate("one", max_new_tokens=20) for _ in range(8)]
    texts = {told.json["generated_text"] for told in await asyncio.gather(*asked)}
    assert len(texts) == 1


async def test_a_seed_fixes_a_sampled_answer(engine: Asking) -> None:
    async def sampled(**parameters: object) -> str:
        told = await engine.generate("one", max_new_tokens=20, do_sample=True, **parameters)
        return str(told.json["generated_text"])

    assert await sampled(seed=1) == await sampled(seed=1)
    assert await sampled(seed=1) != await sampled(seed=2)
    assert await sampled() != await sampled()
