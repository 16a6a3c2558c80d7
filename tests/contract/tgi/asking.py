"""How the tests ask a double: plain HTTP, so that they see what is on the wire."""

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

DEADLINE_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Told:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def events(self) -> list[Any]:
        """The data of each event; `[DONE]` stays a string."""
        blocks = [block for block in self.text.split("\n\n") if block and block != ":"]
        assert all(block.startswith("data: ") for block in blocks), blocks
        datas = [block.removeprefix("data: ") for block in blocks]
        return [data if data == "[DONE]" else json.loads(data) for data in datas]


@dataclass(frozen=True)
class Asking:
    """One double, seen by one session."""

    http: aiohttp.ClientSession
    url: str
    control: str

    async def get(self, path: str, **options: Any) -> Told:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> Told:
        headers = {"content-type": "application/json"} | options.pop("headers", {})
        data = io.BytesIO(json.dumps(body).encode())  # aiohttp warns of large bytes
        return await self.ask("POST", path, data=data, headers=headers, **options)

    async def ask(self, method: str, path: str, **options: Any) -> Told:
        async with self.http.request(method, self.url + path, **options) as answer:
            return Told(answer.status, answer.headers, await answer.text())

    async def generate(self, inputs: str = "How are you?", **parameters: Any) -> Told:
        return await self.post("/generate", {"inputs": inputs, "parameters": parameters})

    async def stream(self, inputs: str = "How are you?", **parameters: Any) -> Told:
        return await self.post("/generate_stream", {"inputs": inputs, "parameters": parameters})

    async def chat(self, **fields: Any) -> Told:
        messages = [{"role": "user", "content": "How are you?"}]
        return await self.post("/v1/chat/completions", {"messages": messages} | fields)

    async def faults(self, **faults: Any) -> None:
        async with self.http.post(f"{self.control}/faults", json=faults) as answer:
            assert answer.status == 200, await answer.text()

    async def reset_faults(self) -> None:
        async with self.http.delete(f"{self.control}/faults") as answer:
            assert answer.status == 200

    async def state(self) -> dict[str, Any]:
        async with self.http.get(f"{self.control}/state") as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def metrics(self) -> dict[str, float]:
        """The value of each series by its name and labels, as they stand in the text."""
        lines = (await self.get("/metrics")).text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first state that is so."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not holds(state := await self.state()):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return state


async def next_token(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """The next event of a stream."""
    async for line in answer.content:
        if line.startswith(b"data: {"):
            event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
            return event
    raise AssertionError("the stream has ended")
