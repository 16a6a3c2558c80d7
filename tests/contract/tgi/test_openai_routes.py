"""OpenAI's routes, as TGI has them."""

from typing import Any

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import Double


async def test_chat(engine: Asking, shared: Double) -> None:
    told = (await engine.chat(max_tokens=3, temperature=0)).json
    assert list(told) == ["object", "id", "created", "model", "system_fingerprint", "choices", "usage"]
    assert (told["object"], told["id"], told["model"]) == ("chat.completion", "", str(shared.folder / "model"))
    assert told["system_fingerprint"] == "3.3.6-dev0-native"
    [choice] = told["choices"]
    assert list(choice) == ["index", "message", "logprobs", "finish_reason"]
    assert list(choice["message"]) == ["role", "content"]
    assert choice["finish_reason"] == "length"
    prompt = told["usage"]["prompt_tokens"]
    assert told["usage"] == {"prompt_tokens": prompt, "completion_tokens": 3, "total_tokens": prompt + 3}


async def test_chat_maps_the_end_of_sequence_to_stop(engine: Asking) -> None:
    told = (await engine.chat(max_tokens=500, temperature=0)).json
    assert told["choices"][0]["finish_reason"] == "stop"


async def test_every_chunk_of_a_chat_has_role_and_content(engine: Asking) -> None:
    told = await engine.chat(max_tokens=3, temperature=0, stream=True)
    *chunks, done = told.events
    assert done == "[DONE]"
    assert [chunk["object"] for chunk in chunks] == ["chat.completion.chunk"] * 3
    for chunk in chunks:
        assert chunk["id"] == ""
        assert chunk["usage"] is None
        assert list(chunk["choices"][0]["delta"]) == ["role", "content"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "length"]


async def test_the_usage_chunk_comes_only_when_asked_for(engine: Asking) -> None:
    options = {"include_usage": True}
    told = await engine.chat(max_tokens=3, temperature=0, stream=True, stream_options=options)
    usage = told.events[-2]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 3
    assert told.events[-1] == "[DONE]"


async def test_chat_logprobs(engine: Asking) -> None:
    told = (await engine.chat(max_tokens=2, temperature=0, logprobs=True, top_logprobs=2)).json
    content = told["choices"][0]["logprobs"]["content"]
    assert [len(token["top_logprobs"]) for token in content] == [2, 2]


async def test_completions(engine: Asking) -> None:
    told = await engine.post("/v1/completions", {"prompt": ["one", "two"], "max_tokens": 2, "temperature": 0})
    body = told.json
    assert body["object"] == "text_completion"
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8}
    assert told.headers["x-generated-tokens"] == "4"


async def test_completions_stream(engine: Asking) -> None:
    body = {"prompt": ["one", "two"], "max_tokens": 2, "temperature": 0, "stream": True}
    *chunks, done = (await engine.post("/v1/completions", body)).events
    assert done == "[DONE]"
    last = [chunk for chunk in chunks if chunk["choices"][0]["finish_reason"]]
    assert sorted(chunk["choices"][0]["index"] for chunk in last) == [0, 1]
    assert all("usage" in chunk for chunk in last)


async def test_completions_refuses_a_suffix_and_too_many_prompts(engine: Asking) -> None:
    suffix = await engine.post("/v1/completions", {"prompt": "one", "suffix": "two"})
    assert suffix.status == 422
    assert suffix.json == {
        "error": "Suffix is not supported and can be achieved by preprocessing the prompt.",
        "error_type": "suffix not supported",
    }
    many = await engine.post("/v1/completions", {"prompt": ["one"] * 5})
    assert many.json == {
        "error": "Number of prompts exceeds the maximum allowed batch size of 4",
        "error_type": "batch size exceeded",
    }


async def test_an_error_in_a_stream_has_openais_form(engine: Asking) -> None:
    """Whatever went wrong, its status is told as 422, and the stream has its end mark."""
    error, done = (await engine.chat(max_tokens=2000, stream=True, temperature=0, top_p=2)).events
    assert error == {
        "error": {"message": "Input validation error: `top_p` must be > 0.0 and < 1.0", "http_status_code": 422}
    }
    assert done == "[DONE]"


async def test_tools_and_grammar_exclude_each_other(engine: Asking) -> None:
    grammar: dict[str, Any] = {"type": "json", "value": {"properties": {}}}
    told = await engine.chat(tools=[{"type": "function"}], response_format=grammar)
    assert told.status == 422
    assert told.json["error"] == "Tool error: Grammar and tools are mutually exclusive"
    assert told.json["error_type"] == "tool_error"
