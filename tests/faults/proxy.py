"""A proxy between a program of ours and the API server, which does to chosen requests what networks and servers do.

It listens on the loopback, in a thread of the test. Without rules it changes nothing. A rule says which requests it
is about, what becomes of them, and how often; the first one that has its turn decides.

    with FaultProxy.in_front_of(kubeconfig) as proxy:
        ...  # start the program with proxy.kubeconfig(file)
        with proxy.fault(Rule(writes_in("ward"), answer(409, "AlreadyExists"), every=2)) as armed:
            ...
        assert armed.hits
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import aiohttp
import yaml
from aiohttp import web
from kubernetes import config
from kubernetes.client import Configuration

from meditron_operator.shell.session import Connection, connect
from tests.faults.calls import Call, Where, parse

Lines = AsyncIterator[bytes]
Through = Callable[[Lines], Lines]
"""What becomes of the lines of a watch on their way."""

_LONGEST_LINE_BYTES: Final = 2**22
_BETWEEN_HOPS: Final = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "host", "transfer-encoding"}
)
_START_SECONDS: Final = 10.0
_GOODBYE_SECONDS: Final = 0.25  # closing TLS takes the loop some turns; aiohttp does not wait for it


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said: to be handed on, or changed, or kept back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def response(self) -> web.Response:
        return web.Response(status=self.status, headers=self.headers, body=self.body)


class Exchange:
    """One request on its way. A fault asks the server or not, and answers or not."""

    def __init__(self, request: web.Request, call: Call, upstream: Connection) -> None:
        self.call = call
        self.query = request.query
        self._request = request
        self._upstream = upstream

    async def ask(self) -> Answer:
        """The server's whole answer; from then on what the request wants is done."""
        async with await self._send(aiohttp.ClientTimeout(total=60)) as answer:
            return Answer(answer.status, _kept(answer.headers), await answer.read())

    async def follow(self, through: Through | None = None) -> web.StreamResponse:
        """Hand on a watch, line by line as they come."""
        async with await self._send(aiohttp.ClientTimeout(sock_connect=10)) as answer:
            response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            await response.prepare(self._request)
            lines = _lines(answer)
            async for line in through(lines) if through else lines:
                await response.write(line)
            return response

    async def forward(self) -> web.StreamResponse:
        """As if no proxy were there."""
        return await self.follow() if self.call.verb == "watch" else (await self.ask()).response()

    def cut(self) -> web.Response:
        """End the connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()
        return web.Response()

    async def _send(self, patience: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        request = self._request
        return await self._upstream.http.request(
            request.method,
            self._upstream.server + request.raw_path,
            headers={**_kept(request.headers), "Accept-Encoding": "identity"},
            data=await request.read() or None,
            timeout=patience,
            read_bufsize=_LONGEST_LINE_BYTES,
        )


Fault = Callable[[Exchange], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests, and what becomes of them: of each, or of every n-th, and at most so many times."""

    where: Where
    fault: Fault
    every: int = 1
    times: int | None = None


@dataclass(eq=False, slots=True)
class Armed:
    """A rule in force."""

    rule: Rule
    seen: int = 0
    hits: int = 0
    held: set[Exchange] = field(default_factory=set)

    def takes(self, call: Call) -> bool:
        """Whether it is this one's turn; counts."""
        rule = self.rule
        if (rule.times is not None and self.hits >= rule.times) or not rule.where(call):
            return False
        self.seen += 1
        if self.seen % rule.every:
            return False
        self.hits += 1
        return True


class FaultProxy:
    """Serves plain HTTP on a free port while it is entered. Rules are set from any thread."""

    def __init__(self, upstream: Configuration) -> None:
        self.calls: list[Call] = []
        """Every request, in the order of their arrival."""
        self.port = 0
        self._upstream_configuration = upstream
        self._armed: tuple[Armed, ...] = ()
        self._open: set[Exchange] = set()  # watches
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)

    @classmethod
    def in_front_of(cls, kubeconfig: Path) -> "FaultProxy":
        """Of the server that a kubeconfig names. Its credentials are not used: callers send their own."""
        upstream = Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=upstream)  # type: ignore[no-untyped-call]
        upstream.api_key = {}
        return cls(upstream)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kubeconfig(self, of: Path) -> Path:
        """A copy of a kubeconfig with a token, beside it, that leads here. It does so as long as the port is ours."""
        body: dict[str, Any] = yaml.safe_load(of.read_text())
        for entry in body["clusters"]:
            entry["cluster"] = {"server": self.url}
        copy = of.with_name(f"{of.stem}.by-way-of-{self.port}.kubeconfig")
        copy.touch(0o600)
        copy.write_text(yaml.safe_dump(body))
        return copy

    @contextmanager
    def fault(self, *rules: Rule) -> Iterator[Armed]:
        """Have rules in force, before those that are; yields the first.

        Open watches that they are about are cut at the begin, and those that they held at the end.
        """
        armed = tuple(Armed(rule) for rule in rules)
        self._call(self._arm(armed))
        try:
            yield armed[0]
        finally:
            self._call(self._disarm(armed))

    def cut_watches(self) -> None:
        """End every open watch without a word, as a load balancer that restarts does."""
        self._call(self._cut(lambda _: True))

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(_START_SECONDS)

    async def _start(self) -> None:
        self._upstream = connect(self._upstream_configuration)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        await self._disarm(self._armed)
        await self._runner.cleanup()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self._upstream.http.close()
        await asyncio.sleep(_GOODBYE_SECONDS)

    async def _arm(self, armed: tuple[Armed, ...]) -> None:
        self._armed = armed + self._armed
        await self._cut(lambda call: any(each.rule.where(call) for each in armed))

    async def _disarm(self, armed: tuple[Armed, ...]) -> None:
        self._armed = tuple(each for each in self._armed if each not in armed)
        held = {exchange for each in armed for exchange in each.held}
        for exchange in held & self._open:
            exchange.cut()

    async def _cut(self, where: Where) -> None:
        for exchange in [exchange for exchange in self._open if where(exchange.call)]:
            exchange.cut()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = parse(request.method, request.path, request.query, await request.read())
        self.calls.append(call)
        exchange = Exchange(request, call, self._upstream)
        held = next((each for each in self._armed if each.takes(call)), None)
        watched = self._open if call.verb == "watch" else set()
        watched.add(exchange)
        try:
            if held is None:
                return await exchange.forward()
            held.held.add(exchange)
            return await held.rule.fault(exchange)
        except (aiohttp.ClientError, OSError):  # the server is not there, or somebody hung up
            return exchange.cut()
        finally:
            watched.discard(exchange)
            if held is not None:
                held.held.discard(exchange)


def _kept(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _BETWEEN_HOPS}


async def _lines(answer: aiohttp.ClientResponse) -> Lines:
    while line := await answer.content.readline():
        yield line
