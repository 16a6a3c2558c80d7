"""huggingface_hub's own clients against the double: what the operator and its users will ask with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import (
    GenerationError,
    HfHubHTTPError,
    IncompleteGenerationError,
    OverloadedError,
    UnknownError,
    ValidationError,
)

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import Double

MESSAGES = [{"role": "user", "content": "How are you?"}]
PROMPT = "How are you?"


@pytest.fixture
def client(shared: Double) -> InferenceClient:
    return InferenceClient(shared.url, timeout=20)


@pytest.fixture
async def aclient(shared: Double) -> AsyncIterator[AsyncInferenceClient]:
    async with AsyncInferenceClient(shared.url, timeout=20) as one:
        yield one


def in_thread(ask: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The synchronous client beside the event loop that holds the faults."""
    return asyncio.to_thread(ask, *arguments, **options)


async def test_text(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    plain = (await engine.generate(PROMPT, max_new_tokens=8)).json["generated_text"]
    assert await in_thread(client.text_generation, PROMPT, max_new_tokens=8) == PROMPT + plain
    text = await aclient.text_generation(PROMPT, max_new_tokens=8, return_full_text=False)
    assert text == plain


async def test_text_with_details(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    options: dict[str, Any] = {"max_new_tokens": 4, "details": True, "top_n_tokens": 2, "return_full_text": False}
    whole = await in_thread(client.text_generation, PROMPT, **options)
    assert (whole.details.finish_reason, whole.details.generated_tokens) == ("length", 4)
    assert [len(others) for others in whole.details.top_tokens] == [2] * 4
    assert await aclient.text_generation(PROMPT, **options) == whole


async def test_text_stream(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    def all_of() -> list[str]:
        stream: Iterable[str] = client.text_generation(PROMPT, max_new_tokens=6, stream=True)
        return list(stream)

    texts = await asyncio.to_thread(all_of)
    assert len(texts) == 6
    stream = await aclient.text_generation(PROMPT, max_new_tokens=6, stream=True, details=True)
    events = [event async for event in stream]
    assert [event.token.text for event in events] == texts
    assert events[-1].details is not None
    assert events[-1].details.finish_reason == "length"
    assert events[-1].generated_text == PROMPT + "".join(texts)


async def test_chat(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    told = await in_thread(client.chat_completion, MESSAGES, max_tokens=5, temperature=0)
    assert told.choices[0].finish_reason == "length"
    assert told.usage.completion_tokens == 5
    again = await aclient.chat_completion(MESSAGES, max_tokens=5, temperature=0)
    assert again.choices[0].message.content == told.choices[0].message.content


async def test_chat_stream(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    options: dict[str, Any] = {"max_tokens": 5, "temperature": 0, "stream": True}

    with_usage: dict[str, Any] = options | {"stream_options": {"include_usage": True}}

    def all_of() -> list[Any]:
        return list(client.chat_completion(MESSAGES, **with_usage))

    *chunks, usage = await asyncio.to_thread(all_of)
    texts = [chunk.choices[0].delta.content for chunk in chunks]
    assert len(texts) == 5
    assert (usage.choices, usage.usage.completion_tokens) == ([], 5)
    stream = await aclient.chat_completion(MESSAGES, **options)
    assert [chunk.choices[0].delta.content async for chunk in stream] == texts


async def test_invalid(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    with pytest.raises(ValidationError, match="`top_p` must be > 0"):
        await in_thread(client.text_generation, PROMPT, top_p=2)
    with pytest.raises(ValidationError, match="`inputs` cannot be empty"):
        await aclient.text_generation("")
    with pytest.raises(ValidationError):
        async for _ in await aclient.text_generation("", stream=True):
            pass


async def test_overloaded(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    await engine.faults(hang=True)
    held = [asyncio.create_task(engine.generate("one", max_new_tokens=1)) for _ in range(64)]
    await engine.until(lambda state: state["free_permits"] == 0)
    with pytest.raises(OverloadedError, match="Model is overloaded"):
        await in_thread(client.text_generation, PROMPT)
    with pytest.raises(OverloadedError):
        async for _ in await aclient.text_generation(PROMPT, stream=True):
            pass
    with pytest.raises(HfHubHTTPError, match="429"):
        await aclient.chat_completion(MESSAGES)
    with pytest.raises(UnknownError):  # TGI's error in a chat's stream has no type that the client knows
        async for _ in await aclient.chat_completion(MESSAGES, stream=True):
            pass
    await engine.faults(hang=False)
    await asyncio.gather(*held)


async def test_a_failed_generation(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    await engine.faults(forward_failures=-1)
    with pytest.raises(GenerationError, match="CUDA out of memory"):
        await in_thread(client.text_generation, PROMPT)
    with pytest.raises(GenerationError):
        await aclient.text_generation(PROMPT)


async def test_an_incomplete_generation(engine: Asking, client: InferenceClient, aclient: AsyncInferenceClient) -> None:
    await engine.faults(incomplete_after_tokens=2)
    with pytest.raises(IncompleteGenerationError):
        await in_thread(client.text_generation, PROMPT)
    with pytest.raises(IncompleteGenerationError):
        await aclient.text_generation(PROMPT)


async def test_endpoint_info_and_health(engine: Asking, shared: Double) -> None:
    """The client offers both only for this provider."""
    async with AsyncInferenceClient(shared.url, provider="hf-inference", timeout=20) as one:
        assert (await one.get_endpoint_info())["max_total_tokens"] == 1512
        assert await one.health_check()
        await engine.faults(forward_failures=-1)
        await engine.generate("one", max_new_tokens=1)
        assert not await one.health_check()
