"""A small HTTP server that lists and watches as a script says: what a cluster may do to a client."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from kubernetes.client import Configuration

from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.session import Connection, connect

HOLD: Final = "hold"  # say no more, but stay
END: Final = "end"  # close the stream in good order
DROP: Final = "drop"  # cut the connection


def thing(name: str, version: int, **spec: Any) -> dict[str, Any]:
    """An object of no particular kind."""
    return {"metadata": {"name": name, "namespace": "ns", "resourceVersion": str(version)}, "spec": spec}


def event(kind: str, obj: Mapping[str, Any]) -> bytes:
    """One line of a watch."""
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(version)}})


def gone(code: int = 410) -> bytes:
    """An error in a stream that began well."""
    return event("ERROR", {"kind": "Status", "code": code, "message": "too old resource version"})


@dataclass(frozen=True)
class Answer:
    """An answer with a body; `kind` is its content type."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ApiServer:
    """Every list, watch and log takes the next item of its script; the last list and the last log are repeated."""

    lists: deque[Answer | tuple[list[dict[str, Any]], int]] = field(default_factory=deque)
    watches: deque[Answer | Iterable[bytes | str]] = field(default_factory=deque)
    logs: deque[Answer | Iterable[bytes | str]] = field(default_factory=deque)
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    finish: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    forbidden: set[str] = field(default_factory=set)  # parts of paths

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append({"method": request.method, "path": request.path, **request.query})
        self.headers.append(request.headers)
        if any(part in request.path for part in self.forbidden):
            return web.Response(status=403)
        if "watch" in request.query:
            return await self._stream(request, self.watches.popleft() if self.watches else [HOLD])
        if request.path.endswith("/log"):
            return await self._stream(request, self.logs[0] if len(self.logs) == 1 else self.logs.popleft())
        if "/leases" in request.path:
            return web.Response(status=404)  # of no interest to any script
        script = self.lists[0] if len(self.lists) == 1 else self.lists.popleft()
        if isinstance(script, Answer):
            return web.Response(status=script.status, body=script.body, headers=dict(script.headers))
        items, version = script
        return web.json_response({"items": items, "metadata": {"resourceVersion": str(version)}})

    async def _stream(self, request: web.Request, script: Answer | Iterable[bytes | str]) -> web.StreamResponse:
        if isinstance(script, Answer):
            return web.Response(status=script.status, body=script.body, headers=dict(script.headers))
        response = web.StreamResponse()
        await response.prepare(request)
        for part in script:
            if isinstance(part, bytes):
                await response.write(part)
            elif part == HOLD:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.finish.wait(), 30)
            elif part == DROP and request.transport is not None:
                request.transport.abort()
        return response


@asynccontextmanager
async def serving(server: ApiServer) -> AsyncIterator[str]:
    """Run it on a free port of the loopback; yields its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server.url
    finally:
        server.finish.set()
        await runner.cleanup()


@asynccontextmanager
async def connected(
    server: ApiServer, token: str = "", patience: float = 5.0
) -> AsyncIterator[tuple[Cluster, Connection]]:
    """The product's own client of that server."""
    async with serving(server) as url:
        configuration = Configuration()
        configuration.host = url
        if token:
            configuration.api_key["authorization"] = f"Bearer {token}"
        connection = connect(configuration)
        try:
            yield Cluster(connection, patience), connection
        finally:
            await connection.http.close()
