"""TGI's own routes for text: /generate, /generate_stream, POST /, /tokenize and /vertex (R server.rs, R vertex.rs)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from tests.doubles.tgi import formats, requests, tokenizer
from tests.doubles.tgi.errors import InferError
from tests.doubles.tgi.requests import Wanted
from tests.doubles.tgi.routes_openai import OpenAIRoutes
from tests.doubles.tgi.service import Service, failed, json, read, rejected
from tests.doubles.tgi.streams import respond


class GenerateRoutes:
    """Handlers of one service."""

    def __init__(self, service: Service, openai: OpenAIRoutes) -> None:
        self._service = service
        self._openai = openai

    async def generate(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, self._service, requests.GENERATE)
        return await self._whole(requests.generate(body), as_list=False)

    async def generate_stream(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, self._service, requests.GENERATE)
        return await self._streamed(request, requests.generate(body))

    async def compat_generate(self, request: web.Request) -> web.StreamResponse:
        return await self.compat(request, await read(request, self._service, requests.COMPAT_GENERATE))

    async def compat(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        """Asks for the full text where the client doesn't say, and wraps the answer in a list."""
        parameters = body["parameters"]
        if parameters["return_full_text"] is None:
            parameters = parameters | {"return_full_text": self._service.full_text_by_default}
        wanted = requests.generate(body | {"parameters": parameters})
        if body["stream"]:
            return await self._streamed(request, wanted)
        return await self._whole(wanted, as_list=True)

    async def tokenize(self, request: web.Request) -> web.StreamResponse:
        wanted = requests.generate(await read(request, self._service, requests.GENERATE))
        found = tokenizer.encode(wanted.inputs, truncate=wanted.truncate)
        return json(formats.pieces(found, wanted.inputs))

    async def vertex(self, request: web.Request) -> web.StreamResponse:
        service = self._service
        body = await read(request, service, requests.VERTEX)
        service.metrics.count("tgi_request_count")
        if not body["instances"]:
            return rejected("Input validation error", "Input validation error")
        try:
            all_wanted = [self._instance(instance) for instance in body["instances"]]
        except InferError as error:
            return failed(error)
        answers = await asyncio.gather(*map(self._counted, all_wanted), return_exceptions=True)
        texts = [answer for answer in answers if isinstance(answer, str)]
        if len(texts) < len(answers):  # whatever it was
            return json({"error": "Incomplete generation", "error_type": "Incomplete generation"}, 500)
        return json({"predictions": texts})

    def _instance(self, instance: dict[str, Any]) -> Wanted:
        return self._openai.chat_wanted(instance) if "messages" in instance else requests.vertex(instance)

    async def _counted(self, wanted: Wanted) -> str:
        self._service.metrics.count("tgi_request_count")
        return (await self._service.infer.generate(wanted)).text

    async def _whole(self, wanted: Wanted, *, as_list: bool) -> web.Response:
        service = self._service
        service.metrics.count("tgi_request_count")
        try:
            answer = await service.infer.generate(wanted)
        except InferError as error:
            return failed(error)
        prompt = wanted.inputs if wanted.return_full_text else ""
        body = formats.answer(answer, prompt, details=wanted.details or wanted.decoder_input_details)
        headers = formats.headers(answer.timings, len(wanted.inputs), answer.valid.input_length, service.compute_type)
        return json([body] if as_list else body, headers=headers)

    async def _streamed(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        self._service.metrics.count("tgi_request_count")
        headers = formats.stream_headers(len(wanted.inputs), self._service.compute_type)
        return await respond(request, self._service, headers, self._events(wanted))

    async def _events(self, wanted: Wanted) -> AsyncGenerator[list[bytes], None]:
        prompt = wanted.inputs if wanted.return_full_text else ""
        index = 0
        try:
            async with contextlib.aclosing(self._service.infer.stream(wanted)) as stream:
                async for generation, steps in stream:
                    first, index = index + 1, index + len(steps)
                    last: dict[str, Any] = {}
                    if steps[-1].reason is not None:
                        last["generated_text"] = prompt + generation.entry.text
                        if wanted.details:
                            last["details"] = formats.stream_details(generation.entry.valid, steps[-1], index)
                    yield formats.stream_events(first, steps, last)
        except InferError as error:
            yield [formats.event(formats.error(error))]
