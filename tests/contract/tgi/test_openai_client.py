"""OpenAI's client against the double's /v1."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import Double

OPTIONS: dict[str, Any] = {
    "model": "tgi",
    "messages": [{"role": "user", "content": "How are you?"}],
    "max_tokens": 5,
    "temperature": 0,
}


@pytest.fixture
async def client(shared: Double) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{shared.url}/v1", api_key="-", max_retries=0, timeout=20) as one:
        yield one


async def test_chat(engine: Asking, client: openai.AsyncOpenAI, shared: Double) -> None:
    told = await client.chat.completions.create(**OPTIONS)
    assert (told.object, told.model) == ("chat.completion", str(shared.folder / "model"))
    assert told.choices[0].finish_reason == "length"
    assert told.usage is not None
    assert told.usage.completion_tokens == 5


async def test_chat_stream(engine: Asking, client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(**OPTIONS)
    stream = await client.chat.completions.create(**OPTIONS, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


async def test_completions(engine: Asking, client: openai.AsyncOpenAI) -> None:
    options: dict[str, Any] = {"model": "tgi", "prompt": "How are you?", "max_tokens": 4, "temperature": 0}
    whole = await client.completions.create(**options)
    stream = await client.completions.create(**options, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == whole.choices[0].text


async def test_models(engine: Asking, client: openai.AsyncOpenAI, shared: Double) -> None:
    assert [model.id async for model in client.models.list()] == [str(shared.folder / "model")]


async def test_errors(engine: Asking, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        await client.chat.completions.create(**OPTIONS, top_p=2)
    assert "`top_p` must be" in str(refused.value.body)
    with pytest.raises(openai.APIError, match="`top_p` must be"):
        async for _ in await client.chat.completions.create(**OPTIONS, top_p=2, stream=True):
            pass
