"""OpenAI's routes: /v1/chat/completions, /v1/completions, and /chat_tokenize beside them (R server.rs, R chat.rs)."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from tests.doubles.tgi import formats, requests, tokenizer
from tests.doubles.tgi.errors import NOT_IN_DOUBLE, InferError, TemplateError, ToolError
from tests.doubles.tgi.infer import Answer, together
from tests.doubles.tgi.requests import Wanted
from tests.doubles.tgi.service import Service, failed, json, read, rejected
from tests.doubles.tgi.streams import respond

_NO_SUFFIX = "Suffix is not supported and can be achieved by preprocessing the prompt."


def template(messages: list[dict[str, Any]]) -> str:
    """The double's own chat template: it runs no Jinja, whatever template the model has."""
    parts = [f"<|{message['role']}|>\n{_text(message['content'])}\n" for message in messages]
    return "".join(parts) + "<|assistant|>\n"


def _text(content: str | list[dict[str, Any]] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(_chunk(chunk) for chunk in content)


def _chunk(chunk: dict[str, Any]) -> str:
    if chunk["type"] == "text":
        return str(chunk["text"])
    url = chunk["image_url"]
    return f"![]({url.get('url', '') if isinstance(url, dict) else ''})"


class OpenAIRoutes:
    """Handlers of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def chat_completions(self, request: web.Request) -> web.StreamResponse:
        return await self.chat(request, await read(request, self._service, requests.CHAT))

    async def chat(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        service = self._service
        service.metrics.count("tgi_request_count")
        try:
            wanted = self.chat_wanted(body)
            service.metrics.count("tgi_request_count")  # TGI counts a chat twice: here, and where it generates
            if body["stream"]:
                headers = formats.stream_headers(len(wanted.inputs), service.compute_type)
                return await respond(request, service, headers, self._chat_events(body, wanted))
            answer = await service.infer.generate(wanted)
        except InferError as error:
            return failed(error)
        stamp = service.stamp(body["model"])
        return json(
            formats.chat(answer, stamp, logprobs=bool(body["logprobs"])),
            headers=self._headers(answer, wanted),
        )

    def chat_wanted(self, body: dict[str, Any]) -> Wanted:
        """Raises InferError."""
        tools = body["tools"] if body["tool_choice"] != "none" else None
        if tools and body["response_format"] is not None:
            raise ToolError("Grammar and tools are mutually exclusive")
        if not self._service.has_chat_template:
            raise TemplateError
        if tools:
            raise ToolError(NOT_IN_DOUBLE)
        return requests.chat(body, template(body["messages"]), body["response_format"])

    async def chat_tokenize(self, request: web.Request) -> web.StreamResponse:
        body = await read(request, self._service, requests.CHAT)
        self._service.metrics.count("tgi_request_count")
        try:
            wanted = self.chat_wanted(body)
        except InferError as error:
            return failed(error)
        found = tokenizer.encode(wanted.inputs, special=False)
        return json({"tokenize_response": formats.pieces(found, wanted.inputs), "templated_text": wanted.inputs})

    async def completions(self, request: web.Request) -> web.StreamResponse:
        return await self.completion(request, await read(request, self._service, requests.COMPLETION))

    async def completion(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        service = self._service
        service.metrics.count("tgi_request_count")
        if body["suffix"] is not None:
            return self._rejected(_NO_SUFFIX, "suffix not supported")
        if len(body["prompt"]) > service.max_client_batch_size:
            text = f"Number of prompts exceeds the maximum allowed batch size of {service.max_client_batch_size}"
            return self._rejected(text, "batch size exceeded")
        all_wanted = [requests.completion(body, prompt) for prompt in body["prompt"]]
        service.metrics.count("tgi_request_count", by=len(all_wanted))
        if body["stream"]:
            characters = sum(len(wanted.inputs) for wanted in all_wanted)
            headers = formats.stream_headers(characters, service.compute_type)
            return await respond(request, service, headers, self._completion_events(body, all_wanted))
        try:
            answers = await together(map(service.infer.generate, all_wanted))
        except InferError as error:
            return failed(error)
        headers = _summed([self._headers(*pair) for pair in zip(answers, all_wanted, strict=True)])
        return json(formats.completion(answers, service.stamp(body["model"])), headers=headers)

    def _rejected(self, text: str, kind: str) -> web.Response:
        self._service.metrics.count("tgi_request_failure", 'err="validation"')
        return rejected(text, kind)

    def _headers(self, answer: Answer, wanted: Wanted) -> dict[str, str]:
        return formats.headers(
            answer.timings, len(wanted.inputs), answer.valid.input_length, self._service.compute_type
        )

    async def _chat_events(self, body: dict[str, Any], wanted: Wanted) -> AsyncGenerator[list[bytes], None]:
        stamp, generated = self._service.stamp(body["model"]), 0
        with_usage = bool(body["stream_options"] and body["stream_options"]["include_usage"])
        logprobs = bool(body["logprobs"])
        try:
            async with contextlib.aclosing(self._service.infer.stream(wanted)) as stream:
                async for generation, steps in stream:
                    generated += len(steps)
                    group = [formats.chat_chunk(step, stamp, logprobs=logprobs) for step in steps]
                    if steps[-1].reason is not None and with_usage:
                        length = generation.entry.valid.input_length
                        group.append(formats.chat_usage(stamp, length, generated))
                    yield group
        except InferError as error:
            yield [formats.event(formats.openai_error(error))]
        yield [formats.DONE]

    async def _completion_events(
        self, body: dict[str, Any], all_wanted: list[Wanted]
    ) -> AsyncGenerator[list[bytes], None]:
        """A turn for each prompt, until all are done."""
        stamp = self._service.stamp(body["model"])
        async with contextlib.AsyncExitStack() as stack:
            open_ones = []
            for index, wanted in enumerate(all_wanted):
                events = self._one_completion(index, wanted, stamp)
                open_ones.append(await stack.enter_async_context(contextlib.aclosing(events)))
            while open_ones:
                for events in list(open_ones):
                    group = await anext(events, None)
                    if group is None:
                        open_ones.remove(events)
                    else:
                        yield group
        yield [formats.DONE]

    async def _one_completion(
        self, index: int, wanted: Wanted, stamp: formats.Stamp
    ) -> AsyncGenerator[list[bytes], None]:
        generated = 0
        try:
            async with contextlib.aclosing(self._service.infer.stream(wanted)) as stream:
                async for generation, steps in stream:
                    group = []
                    for step in steps:
                        generated += 1
                        group.append(formats.completion_chunk(index, step, stamp, generation.entry.valid, generated))
                    yield group
        except InferError as error:
            yield [formats.event(formats.openai_error(error))]


def _summed(all_headers: list[dict[str, str]]) -> dict[str, str]:
    """Of several prompts in one request. TGI leaves x-compute-time out of these."""
    names = [name for name in all_headers[0] if name not in {"x-compute-type", "x-compute-time"}]
    total = {name: str(sum(int(headers[name]) for headers in all_headers)) for name in names}
    return {"x-compute-type": all_headers[0]["x-compute-type"]} | total
