"""Server-sent events: written as they come, kept alive when they don't, cut or stalled when a fault says so."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping

from aiohttp import web

from tests.doubles.tgi.formats import KEEP_ALIVE
from tests.doubles.tgi.service import Service


async def respond(
    request: web.Request, service: Service, headers: Mapping[str, str], events: AsyncGenerator[list[bytes], None]
) -> web.StreamResponse:
    """Stream until `events` ends, the client goes away, or a fault cuts it."""
    response = web.StreamResponse(headers=headers)
    with contextlib.suppress(ConnectionError):  # the client went away, which is its right
        async with contextlib.aclosing(events):
            await response.prepare(request)
            await _send_all(_Stream(request, response, service), events)
    return response


async def _send_all(stream: "_Stream", events: AsyncGenerator[list[bytes], None]) -> None:
    quiet = asyncio.create_task(stream.keep_alive())
    try:
        async for group in events:
            if not await stream.send(group):
                return
        quiet.cancel()
        await stream.end()
    finally:
        quiet.cancel()


class _Stream:
    """One response, and how many events it has carried."""

    def __init__(self, request: web.Request, response: web.StreamResponse, service: Service) -> None:
        self._request = request
        self._response = response
        self._service = service
        self._sent = 0
        self._wrote = 0  # also comments and nothing else: only ever compared

    async def send(self, group: list[bytes]) -> bool:
        """False: the connection was cut."""
        faults = self._service.faults
        if not (faults.now.cut_after_tokens or faults.now.stall_after_tokens):
            await self._write(b"".join(group), len(group))
            return True
        for event in group:
            if 0 < faults.now.stall_after_tokens <= self._sent:
                await faults.until(lambda now: now.stall_after_tokens == 0)
            await self._write(event, 1)
            if 0 < faults.now.cut_after_tokens <= self._sent:
                self._cut()
                return False
        return True

    async def end(self) -> None:
        await self._response.write_eof()

    async def keep_alive(self) -> None:
        """A comment whenever nothing was sent for the whole interval."""
        with contextlib.suppress(ConnectionError):  # told to the handler too, which then ends
            while True:
                before = self._wrote
                await asyncio.sleep(self._service.keepalive_seconds)
                if before == self._wrote:
                    await self._write(KEEP_ALIVE, 0)

    async def _write(self, data: bytes, events: int) -> None:
        self._wrote += 1
        self._sent += events
        await self._response.write(data)

    def _cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
