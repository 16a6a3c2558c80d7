"""TGI's own routes: bodies, headers and events."""

from typing import Any

import pytest

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import Double

PROMPT = "one two three"


async def test_generate_answers_with_the_text_alone(engine: Asking) -> None:
    told = await engine.generate(PROMPT, max_new_tokens=4)
    assert told.status == 200
    assert list(told.json) == ["generated_text"]
    assert told.json["generated_text"].count(" ") == 4


async def test_generate_tells_details(engine: Asking) -> None:
    told = await engine.generate(PROMPT, max_new_tokens=3, details=True)
    details = told.json["details"]
    assert list(details) == ["finish_reason", "generated_tokens", "seed", "prefill", "tokens"]
    assert (details["finish_reason"], details["generated_tokens"], details["seed"]) == ("length", 3, None)
    assert [list(token) for token in details["tokens"]] == [["id", "text", "logprob", "special"]] * 3
    assert "".join(token["text"] for token in details["tokens"]) == told.json["generated_text"]


async def test_generate_has_the_headers(engine: Asking) -> None:
    told = await engine.generate(PROMPT, max_new_tokens=3)
    assert told.headers["x-compute-type"] == "gpu+optimized"
    assert told.headers["x-compute-characters"] == str(len(PROMPT))
    assert (told.headers["x-prompt-tokens"], told.headers["x-generated-tokens"]) == ("4", "3")
    for name in ("total", "validation", "queue", "inference"):
        assert told.headers[f"x-{name}-time"].isdigit()
    assert told.headers["x-time-per-token"].isdigit()
    assert 0 < float(told.headers["x-compute-time"]) < 20
    assert "server" not in told.headers


async def test_an_answer_ends_by_itself(engine: Asking) -> None:
    told = await engine.generate(PROMPT, max_new_tokens=500, details=True)
    details = told.json["details"]
    assert (details["finish_reason"], details["generated_tokens"]) == ("eos_token", 256)
    assert details["tokens"][-1]["special"]
    assert "</s>" not in told.json["generated_text"]


async def test_a_stop_sequence_ends_it(engine: Asking) -> None:
    whole = (await engine.generate(PROMPT, max_new_tokens=8)).json["generated_text"]
    word = whole.split()[3]
    told = await engine.generate(PROMPT, max_new_tokens=8, stop=[word], details=True)
    assert told.json["details"]["finish_reason"] == "stop_sequence"
    assert told.json["generated_text"].endswith(word)


async def test_best_of_gives_the_other_sequences_too(engine: Asking) -> None:
    told = await engine.generate(PROMPT, max_new_tokens=3, best_of=2, do_sample=True, details=True)
    [other] = told.json["details"]["best_of_sequences"]
    assert other["generated_text"] != told.json["generated_text"]
    assert other["seed"] != told.json["details"]["seed"]


async def test_top_tokens_come_only_when_asked_for(engine: Asking) -> None:
    told = await engine.generate(PROMPT, max_new_tokens=2, top_n_tokens=3, details=True)
    assert [len(others) for others in told.json["details"]["top_tokens"]] == [3, 3]


async def test_a_stream_has_one_event_for_each_token(engine: Asking) -> None:
    told = await engine.stream(PROMPT, max_new_tokens=3, details=True)
    assert told.headers["content-type"] == "text/event-stream"
    assert told.headers["cache-control"] == "no-cache"
    assert told.headers["x-accel-buffering"] == "no"
    assert told.headers["x-compute-characters"] == str(len(PROMPT))
    first, _, last = told.events
    assert list(first) == ["index", "token", "generated_text", "details"]
    assert (first["index"], first["generated_text"], first["details"]) == (1, None, None)
    assert last["index"] == 3
    assert last["details"] == {"finish_reason": "length", "generated_tokens": 3, "seed": None, "input_length": 4}
    assert last["generated_text"] == "".join(event["token"]["text"] for event in told.events)


async def test_a_stream_says_the_same_as_the_whole_answer(engine: Asking) -> None:
    whole = await engine.generate(PROMPT, max_new_tokens=9)
    streamed = await engine.stream(PROMPT, max_new_tokens=9)
    assert streamed.events[-1]["generated_text"] == whole.json["generated_text"]
    assert streamed.events[-1]["details"] is None


async def test_the_root_wraps_its_answer_in_a_list_and_repeats_the_prompt(engine: Asking) -> None:
    """For a local model no pipeline tag is known, and then the full text is the default."""
    [told] = (await engine.post("/", {"inputs": PROMPT, "parameters": {"max_new_tokens": 2}})).json
    assert told["generated_text"].startswith(PROMPT)
    body = {"inputs": PROMPT, "parameters": {"max_new_tokens": 2, "return_full_text": False}}
    assert not (await engine.post("/", body)).json[0]["generated_text"].startswith(PROMPT)


async def test_the_root_streams_when_asked(engine: Asking) -> None:
    told = await engine.post("/", {"inputs": PROMPT, "parameters": {"max_new_tokens": 2}, "stream": True})
    assert [event["index"] for event in told.events] == [1, 2]


@pytest.mark.parametrize("path", ["/", "/health", "/ping"])
async def test_health_is_empty(engine: Asking, path: str) -> None:
    told = await engine.get(path)
    assert (told.status, told.text) == (200, "")


async def test_info(engine: Asking, shared: Double) -> None:
    assert (await engine.get("/info")).json == {
        "model_id": str(shared.folder / "model"),
        "model_sha": None,
        "model_pipeline_tag": None,
        "max_concurrent_requests": 64,
        "max_best_of": 2,
        "max_stop_sequences": 4,
        "max_input_tokens": 1000,
        "max_total_tokens": 1512,
        "validation_workers": 2,
        "max_client_batch_size": 4,
        "router": "text-generation-router",
        "version": "3.3.6-dev0",
        "sha": None,
        "docker_label": None,
    }


async def test_models(engine: Asking, shared: Double) -> None:
    name = str(shared.folder / "model")
    model = {"id": name, "object": "model", "created": 0, "owned_by": name}
    assert (await engine.get("/v1/models")).json == {"object": "list", "data": [model]}


async def test_tokenize_names_every_token_and_its_place(engine: Asking) -> None:
    start, first, second = (await engine.post("/tokenize", {"inputs": "one two"})).json
    assert start == {"id": 1, "text": "", "start": 0, "stop": 0}
    assert (first["text"], first["start"], first["stop"]) == ("one", 0, 3)
    assert (second["text"], second["start"], second["stop"]) == (" two", 3, 7)


async def test_chat_tokenize_shows_the_templated_text(engine: Asking) -> None:
    told = (await engine.post("/chat_tokenize", {"messages": [{"role": "user", "content": "Hello"}]})).json
    assert "Hello" in told["templated_text"]
    assert "".join(token["text"] for token in told["tokenize_response"]) == told["templated_text"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"inputs": PROMPT, "parameters": {"max_new_tokens": 1}}, "generated_text"),
        ({"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 1}, "choices"),
        ({"prompt": PROMPT, "max_tokens": 1}, "choices"),
    ],
)
async def test_invocations_takes_three_shapes(engine: Asking, body: Any, key: str) -> None:
    told = (await engine.post("/invocations", body)).json
    assert key in (told[0] if isinstance(told, list) else told)


async def test_invocations_of_no_shape(engine: Asking) -> None:
    told = await engine.post("/invocations", {"input": PROMPT})
    assert told.status == 422
    assert told.text.endswith("data did not match any variant of untagged enum SagemakerRequest")


async def test_vertex(engine: Asking) -> None:
    instances = [
        {"inputs": PROMPT, "parameters": {"max_new_tokens": 2, "seed": 1}},
        {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 2},
    ]
    told = await engine.post("/vertex", {"instances": instances})
    assert len(told.json["predictions"]) == 2
    empty = await engine.post("/vertex", {"instances": []})
    assert (empty.status, empty.json["error_type"]) == (422, "Input validation error")
    failed = await engine.post("/vertex", {"instances": [{"inputs": ""}]})
    assert (failed.status, failed.json["error"]) == (500, "Incomplete generation")


async def test_json_grammar_is_followed(engine: Asking) -> None:
    schema = {"properties": {"dose": {"type": "integer"}, "unit": {"enum": ["mg", "g"]}}}
    told = await engine.generate(PROMPT, max_new_tokens=64, grammar={"type": "json", "value": schema})
    assert told.json["generated_text"] == '{"dose": 1, "unit": "mg"}'


async def test_any_origin_may_ask(engine: Asking) -> None:
    told = await engine.get("/health", headers={"origin": "http://ward.example"})
    assert told.headers["access-control-allow-origin"] == "*"
    preflight = await engine.ask("OPTIONS", "/generate")
    assert (preflight.status, preflight.headers["access-control-allow-methods"]) == (200, "GET,POST")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/generate", 405)])
async def test_unknown_routes_have_no_body(engine: Asking, method: str, path: str, status: int) -> None:
    told = await engine.ask(method, path)
    assert (told.status, told.text) == (status, "")
