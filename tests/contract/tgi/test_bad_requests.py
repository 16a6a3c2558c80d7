"""Requests of every invalid form: refused in TGI's words, and the double goes on."""

import asyncio
import gzip
from typing import Any

import pytest

from tests.contract.tgi.asking import Asking

JSON = {"content-type": "application/json"}
SYNTAX = "Failed to parse the request body as JSON: "
DATA = "Failed to deserialize the JSON body into the target type: "
TOO_MANY = "`inputs` tokens + `max_new_tokens` must be <= 1512. Given: {} `inputs` tokens and {} `max_new_tokens`"


@pytest.mark.parametrize(
    ("inputs", "parameters", "words"),
    [
        ("", {}, "`inputs` cannot be empty"),
        ("one", {"max_new_tokens": 1511}, None),
        ("one " * 999, {"max_new_tokens": 600}, TOO_MANY.format(1001, 600)),
        ("one", {"max_new_tokens": 100_000}, None),  # only a piece of 1024 tokens is reserved
        ("one " * 600, {"max_new_tokens": 100_000}, TOO_MANY.format(602, 1024)),
        ("one " * 1100, {"max_new_tokens": 1}, "`inputs` must have less than 1000 tokens. Given: 1102"),
        ("one " * 1100, {"max_new_tokens": 1, "truncate": 900}, None),
        ("one", {"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ("one", {"temperature": 0.0}, "`temperature` must be strictly positive"),
        ("one", {"temperature": -1}, "`temperature` must be strictly positive"),
        ("one", {"repetition_penalty": 0.0}, "`repetition_penalty` must be strictly positive"),
        ("one", {"frequency_penalty": 2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ("one", {"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ("one", {"typical_p": 0.0}, "`typical_p` must be > 0.0 and < 1.0"),
        ("one", {"top_k": 0}, "`top_k` must be strictly positive"),
        ("one", {"top_k": -5}, "`top_k` must be strictly positive"),
        ("one", {"truncate": 0}, "`truncate` must be strictly positive and less than 1000. Given: 0"),
        ("one", {"truncate": 1001}, "`truncate` must be strictly positive and less than 1000. Given: 1001"),
        ("one", {"stop": ["a"] * 5}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ("one", {"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
        ("one", {"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ("one", {"best_of": 3, "do_sample": True}, "`best_of` must be > 0 and <= 2. Given: 3"),
        ("one", {"best_of": 2, "do_sample": True, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
        (
            "one",
            {"grammar": {"type": "json", "value": {"type": "object"}}},
            "grammar is not valid: Grammar must have a 'properties' field",
        ),
    ],
)
async def test_validation(engine: Asking, inputs: str, parameters: dict[str, Any], words: str | None) -> None:
    told = await engine.generate(inputs, **parameters)
    if words is None:
        assert told.status == 200
    else:
        assert told.status == 422
        assert told.json == {"error": f"Input validation error: {words}", "error_type": "validation"}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"best_of": 2, "do_sample": True}, "`best_of` != 1 is not supported when streaming tokens"),
        ({"decoder_input_details": True}, "`decoder_input_details` == true is not supported when streaming tokens"),
        ({"top_p": 0}, "`top_p` must be > 0.0 and < 1.0"),
    ],
)
async def test_validation_of_a_stream_is_an_event(engine: Asking, parameters: dict[str, Any], words: str) -> None:
    told = await engine.stream("one", **parameters)
    assert told.status == 200
    assert told.events == [{"error": f"Input validation error: {words}", "error_type": "validation"}]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, SYNTAX + "EOF while parsing a value at line 1 column 0"),
        (b"{", 400, SYNTAX + "EOF while parsing an object at line 1 column 1"),
        (b"[1,", 400, SYNTAX + "EOF while parsing a value at line 1 column 3"),
        (b'{"inputs": "a', 400, SYNTAX + "EOF while parsing a string at line 1 column 13"),
        (b'{"inputs" "a"}', 400, SYNTAX + "expected `:` at line 1 column 11"),
        (b'{"inputs": "a" "b"}', 400, SYNTAX + "expected `,` or `}` at line 1 column 16"),
        (b'{\n"inputs": "a",}', 400, SYNTAX + "trailing comma at line 2 column 15"),
        (b"{inputs}", 400, SYNTAX + "key must be a string at line 1 column 2"),
        (b"oops", 400, SYNTAX + "expected value at line 1 column 1"),
        (b"{}x", 400, SYNTAX + "trailing characters at line 1 column 3"),
        (b"\xff\xfe", 400, SYNTAX),
        (b'{"inputs": NaN}', 400, SYNTAX),
        (b'{"inputs": "\\ud800"}', 400, SYNTAX + "lone leading surrogate"),
        (b"[" * 100_000, 400, SYNTAX + "recursion limit exceeded"),
        (b'{"seed": ' + b"9" * 10_000 + b"}", 400, SYNTAX),
        (
            b"{}",
            422,
            DATA + "missing field `inputs` at line 1 column 2",
        ),
        (
            b"[]",
            422,
            DATA + "invalid length 0, expected struct GenerateRequest with 2 elements",
        ),
        (b"5", 422, DATA + "invalid type: integer `5`, expected struct GenerateRequest"),
        (
            b'{"inputs": 5}',
            422,
            DATA + "inputs: invalid type: integer `5`, expected a string",
        ),
        (
            b'{"inputs": null}',
            422,
            DATA + "inputs: invalid type: null, expected a string",
        ),
        (
            b'{"inputs": "a", "parameters": {"max_new_tokens": "b"}}',
            422,
            DATA + 'parameters.max_new_tokens: invalid type: string "b", expected u32',
        ),
        (
            b'{"inputs": "a", "parameters": {"max_new_tokens": -1}}',
            422,
            DATA + "parameters.max_new_tokens: invalid value: integer `-1`, expected u32",
        ),
        (
            b'{"inputs": "a", "parameters": {"max_new_tokens": 1.5}}',
            422,
            DATA + "parameters.max_new_tokens: invalid type: floating point `1.5`, expected u32",
        ),
        (
            b'{"inputs": "a", "parameters": {"stop": ["b", 3]}}',
            422,
            DATA + "parameters.stop[1]: invalid type: integer `3`, expected a string",
        ),
        (
            b'{"inputs": "a", "parameters": {"details": 1}}',
            422,
            DATA + "parameters.details: invalid type: integer `1`, expected a boolean",
        ),
    ],
)
async def test_bodies_that_do_not_fit(engine: Asking, body: bytes, status: int, words: str) -> None:
    told = await engine.ask("POST", "/generate", data=body, headers=JSON)
    assert told.status == status
    assert told.text.startswith(words)
    assert told.headers["content-type"].startswith("text/plain")


async def test_a_body_that_is_not_called_json(engine: Asking) -> None:
    told = await engine.ask("POST", "/generate", data=b"{}", headers={"content-type": "text/plain"})
    assert (told.status, told.text) == (415, "Expected request with `Content-Type: application/json`")


@pytest.mark.parametrize(
    "path", ["/generate", "/v1/chat/completions", "/v1/completions", "/", "/vertex", "/invocations"]
)
async def test_no_route_dies_of_any_json(engine: Asking, path: str) -> None:
    hostile: list[Any] = [
        None, True, 0, 1.5, "text", [], {}, {"inputs": {}}, {"messages": "x"}, {"messages": [None]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 3}]}]},
        {"messages": [{"role": "user", "content": [{"type": 3}]}]}, {"messages": []}, {"prompt": []}, {"prompt": [1]},
        {"inputs": "\x00\x1b[31m", "parameters": {"max_new_tokens": 1}}, {"instances": [{}]}, {"instances": [[]]},
        {"inputs": "a", "parameters": {"grammar": {"type": "json", "value": "{"}}},
        {"inputs": "a", "parameters": {"grammar": {"type": "none", "value": {}}}},
        {"inputs": "a", "parameters": {"grammar": {"type": "regex", "value": "["}, "max_new_tokens": 1}},
        {"inputs": "a", "parameters": {"temperature": 1e308, "max_new_tokens": 1, "seed": 2**64 - 1}},
        {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1, "tool_choice": [[]], "stream_options": {}},
    ]  # fmt: skip
    answers = await asyncio.gather(*(engine.post(path, body) for body in hostile))
    assert {answer.status for answer in answers} <= {200, 422, 500}
    assert all(answer.text for answer in answers)
    assert (await engine.get("/health")).status == 200


async def test_a_compressed_body_is_not_unpacked(engine: Asking) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    told = await engine.ask("POST", "/generate", data=bomb, headers=JSON | {"content-encoding": "gzip"})
    assert told.status == 400


async def test_beyond_the_payload_limit(engine: Asking) -> None:
    told = await engine.post("/generate", {"inputs": "a" * 2_000_001})
    assert (told.status, told.text) == (413, "Failed to buffer the request body: length limit exceeded")


async def test_beyond_the_payload_limit_without_a_length(engine: Asking) -> None:
    async def pieces() -> Any:
        for _ in range(40):
            yield b" " * 100_000

    told = await engine.ask("POST", "/generate", data=pieces(), headers=JSON)
    assert told.status == 413


async def test_just_below_the_payload_limit_is_read(engine: Asking) -> None:
    told = await engine.post("/generate", {"inputs": "word " * 390_000})
    assert told.status == 422
    assert told.json["error"].startswith("Input validation error: `inputs`")


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client
        b"GET / HTTP/9.9\r\n\r\n",
        b"G E T / HTTP/1.1\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
        b"\r\n" * 1000,
        b"\x00" * 4096,
    ],
)
async def test_what_is_no_http(engine: Asking, junk: bytes) -> None:
    host, port = engine.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(junk)
    writer.write_eof()
    async with asyncio.timeout(10):
        try:
            answer = await reader.read()
        except ConnectionResetError:
            answer = b""
    writer.close()
    assert not answer or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 505"))
    assert (await engine.get("/health")).status == 200
