"""--api-key: only what generates or tokenizes asks for it."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import Double, double

GATED = ["/", "/generate", "/generate_stream", "/v1/chat/completions", "/v1/completions", "/vertex", "/invocations"]
OPEN = ["/", "/health", "/ping", "/info", "/metrics", "/v1/models"]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    folder: Path = tmp_path_factory.mktemp("locked")
    with double(folder, {"API_KEY": "Secret"}) as one:
        yield one


@pytest.fixture
async def gate(locked: Double, http: aiohttp.ClientSession) -> Asking:
    return Asking(http, locked.url, locked.control)


@pytest.mark.parametrize("path", [*GATED, "/tokenize"])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Secret"}])
async def test_without_the_key_nothing_is_answered(gate: Asking, path: str, headers: dict[str, str]) -> None:
    told = await gate.post(path, {"inputs": "a"}, headers=headers)
    assert (told.status, told.text) == (401, "")


@pytest.mark.parametrize("value", ["Bearer Secret", "bearer secret", "BEARER SECRET"])
async def test_the_whole_header_is_compared_without_case(gate: Asking, value: str) -> None:
    body = {"inputs": "a", "parameters": {"max_new_tokens": 1}}
    assert (await gate.post("/generate", body, headers={"authorization": value})).status == 200


@pytest.mark.parametrize("path", OPEN)
async def test_what_tells_of_the_server_is_open(gate: Asking, path: str) -> None:
    assert (await gate.get(path)).status == 200


async def test_chat_tokenize_is_open(gate: Asking) -> None:
    told = await gate.post("/chat_tokenize", {"messages": [{"role": "user", "content": "a"}]})
    assert told.status == 200
