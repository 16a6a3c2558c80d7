"""The served port: routes, the key, CORS, and a bounded number of connections (R server.rs, fn start)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tests.doubles.tgi import bodies, requests
from tests.doubles.tgi.routes_generate import GenerateRoutes
from tests.doubles.tgi.routes_info import InfoRoutes
from tests.doubles.tgi.routes_openai import OpenAIRoutes
from tests.doubles.tgi.service import Service, read_bytes, refused

BACKLOG: Final = 1024
MAX_HEADER_BYTES: Final = 64 * 1024
_LINGERING_REFUSALS: Final = 256
_LINGER_SECONDS: Final = 1.0
_UPLOAD_LINGER_SECONDS: Final = 2.0
_FLUSH_SECONDS: Final = 1.0
_REFUSAL: Final = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_CORS: Final = {
    "access-control-allow-origin": "*",
    "vary": "origin, access-control-request-method, access-control-request-headers",
}
_PREFLIGHT: Final = {"access-control-allow-methods": "GET,POST", "access-control-allow-headers": "content-type"}

_LOGGER: Final = logging.getLogger("tests.doubles.tgi")


def _is_surprising(record: logging.LogRecord) -> bool:
    """What is no HTTP gets its 400 and no traceback: anybody can send it, and as often as they like."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_LOGGER.addFilter(_is_surprising)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(service: Service, api_key: str | None, origins: Sequence[str]) -> web.Application:
    """Without `origins` any origin may ask."""
    app = web.Application(middlewares=[_outermost], client_max_size=service.payload_limit + 1)
    app.on_response_prepare.append(_with_headers(origins))
    openai = OpenAIRoutes(service)
    generate, info = GenerateRoutes(service, openai), InfoRoutes(service)

    async def invocations(request: web.Request) -> web.StreamResponse:
        """The first shape that fits decides (R sagemaker.rs)."""
        body = await read_bytes(request, service)
        kind = request.headers.get("content-type", "")
        for shape, handle in (
            (requests.COMPAT_GENERATE, generate.compat),
            (requests.CHAT, openai.chat),
            (requests.COMPLETION, openai.completion),
        ):
            value = bodies.fitting(body, kind, shape)
            if value is not None:
                return await handle(request, value)
        raise bodies.no_variant("SagemakerRequest")

    gated: dict[str, Handler] = {
        "/": generate.compat_generate,
        "/generate": generate.generate,
        "/generate_stream": generate.generate_stream,
        "/v1/chat/completions": openai.chat_completions,
        "/v1/completions": openai.completions,
        "/vertex": generate.vertex,
        "/invocations": invocations,
        "/tokenize": generate.tokenize,
    }
    for path, handler in gated.items():
        app.router.add_post(path, _keyed(handler, api_key))
    for path in ("/", "/health", "/ping"):
        app.router.add_get(path, info.health)
    app.router.add_get("/info", info.info)
    app.router.add_get("/v1/models", info.models)
    app.router.add_get("/metrics", info.metrics)
    app.router.add_post("/chat_tokenize", openai.chat_tokenize)
    return app


def _keyed(handler: Handler, api_key: str | None) -> Handler:
    """The whole header is compared without regard to case, the key too: TGI does so."""
    if api_key is None:
        return handler
    expected = f"Bearer {api_key}".lower()

    async def with_key(request: web.Request) -> web.StreamResponse:
        if request.headers.get("authorization", "").lower() != expected:
            return web.Response(status=401)
        return await handler(request)

    return with_key


@web.middleware
async def _outermost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Plain texts for bodies that don't fit, and empty bodies for unknown routes, as axum has it."""
    if request.method == "OPTIONS":
        return web.Response(headers=_PREFLIGHT)
    try:
        return await handler(request)
    except bodies.BodyError as error:
        return refused(error)
    except web.HTTPException as error:
        allowed = {"allow": error.headers["allow"]} if "allow" in error.headers else {}
        return web.Response(status=error.status, headers=allowed)


def _with_headers(origins: Sequence[str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(_cors(request, origins))
        response.headers.popall("server", None)  # aiohttp names itself; TGI has no such header

    return prepare


def _cors(request: web.Request, origins: Sequence[str]) -> dict[str, str]:
    if not origins:
        return _CORS
    origin = request.headers.get("origin", "")
    return _CORS | {"access-control-allow-origin": origin} if origin in origins else {"vary": _CORS["vary"]}


class Server:
    """Listens, counts, and drains."""

    def __init__(self, app: web.Application, max_connections: int) -> None:
        app.middlewares.insert(0, self._count)
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_LOGGER,
            handle_signals=False,
            handler_cancellation=True,  # a client that went away frees its permit at once
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            auto_decompress=False,  # axum doesn't either; and no bomb is unpacked
            lingering_time=_UPLOAD_LINGER_SECONDS,
            shutdown_timeout=_FLUSH_SECONDS,
        )
        self._max_connections = max_connections
        self._listener: asyncio.Server | None = None
        self._refusals: set[_Refusal] = set()

    @property
    def connections(self) -> int:
        return len(self._http.connections)

    @property
    def _http(self) -> web.Server:
        if self._runner.server is None:
            raise RuntimeError("the server was not started")
        return self._runner.server

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._protocol, host, port, backlog=BACKLOG)
        return int(self._listener.sockets[0].getsockname()[1])

    async def drain(self, limit_seconds: float) -> bool:
        """Refuse new connections, end idle ones, let the others finish. False: the limit ended some."""
        if self._listener is not None:
            self._listener.close()
        self._http.pre_shutdown()
        try:
            async with asyncio.timeout(limit_seconds):
                await self._idle.wait()
        except TimeoutError:
            for connection in self._http.connections:
                connection.force_close()
            return False
        return True

    async def close(self) -> None:
        """What is answered already gets a moment to be written."""
        await self._runner.cleanup()

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._in_flight += 1
        self._idle.clear()
        try:
            return await handler(request)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def _protocol(self) -> asyncio.Protocol:
        if self.connections < self._max_connections:
            return self._http()
        return _Refusal(self._refusals)


class _Refusal(asyncio.Protocol):
    """One connection too many: told so, and given a moment to read it before it is closed."""

    def __init__(self, lingering: set["_Refusal"]) -> None:
        self._lingering = lingering
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a TCP connection has a Transport")
        transport.write(_REFUSAL)
        if len(self._lingering) >= _LINGERING_REFUSALS:
            transport.close()
            return
        transport.write_eof()
        self._lingering.add(self)
        self._timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, transport.close)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._lingering.discard(self)
        if self._timer is not None:
            self._timer.cancel()
