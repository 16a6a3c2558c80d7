"""What can become of a request to the API server."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from tests.faults.proxy import Answer, Exchange, Fault, Lines, Through

_PAGE: Final = b"<html><body>Sign in to the hospital's network</body></html>"

_CROWD: Final = "crowd"

ChangeList = Callable[[dict[str, Any]], None]


def answer(status: int, reason: str, retry_after: int | None = None) -> Fault:
    """The server never sees it; the client gets this error, as Kubernetes words one."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    async def act(_: Exchange) -> web.StreamResponse:
        return web.json_response(_status(status, reason), status=status, headers=headers)

    return act


def _status(code: int, reason: str) -> dict[str, Any]:
    words = f"{reason}, said on purpose"
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": words}


async def page(_: Exchange) -> web.StreamResponse:
    """A proxy's web page, with a 200."""
    return web.Response(body=_PAGE, content_type="text/html")


async def drop(exchange: Exchange) -> web.StreamResponse:
    """The connection ends before the server has seen anything."""
    return exchange.cut()


async def lose_answer(exchange: Exchange) -> web.StreamResponse:
    """It is done, and the connection ends before anybody hears of that."""
    await exchange.ask()
    return exchange.cut()


async def hang(exchange: Exchange) -> web.StreamResponse:
    """No answer, and no end, until the client gives up."""
    await asyncio.Event().wait()
    return exchange.cut()


def late(seconds: float) -> Fault:
    """It takes its time."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await exchange.forward()

    return act


async def half(exchange: Exchange) -> web.StreamResponse:
    """The answer ends in its middle."""
    whole = await exchange.ask()
    return Answer(whole.status, whole.headers, whole.body[: len(whole.body) // 2]).response()


def listed(change: ChangeList) -> Fault:
    """A list that says something else than what is stored."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        whole = await exchange.ask()
        body = json.loads(whole.body)
        if "items" in body:
            change(body)
        return Answer(whole.status, whole.headers, json.dumps(body).encode()).response()

    return act


def nothing(body: dict[str, Any]) -> None:
    """An empty list, with the version of the true one."""
    body["items"] = []


def every_other(body: dict[str, Any]) -> None:
    """Half of the items."""
    body["items"] = body["items"][::2]


def crowded(size: int, item: Callable[[int], Mapping[str, Any]]) -> Fault:
    """A list with so many more objects, of others, on as many pages as the client asks for."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        begin, version = _place(exchange.query.get("continue", ""))
        if version:
            body: dict[str, Any] = {"items": [], "metadata": {"resourceVersion": version}}
        else:
            whole = await exchange.ask()
            body = json.loads(whole.body)
            if body["metadata"].get("continue"):
                return whole.response()
        end = min(size, begin + int(exchange.query.get("limit", size)))
        body["items"] = [*(body["items"] or []), *(item(number) for number in range(begin, end))]
        if end < size:
            body["metadata"]["continue"] = f"{_CROWD}/{end}/{body['metadata']['resourceVersion']}"
        return web.json_response(body)

    return act


def _place(token: str) -> tuple[int, str]:
    """How many of the crowd were on earlier pages, and the version of their list; no version for the server's pages."""
    match token.split("/"):
        case [word, begin, version] if word == _CROWD:
            return int(begin), version
        case _:
            return 0, ""


def watched(through: Through) -> Fault:
    """A watch whose lines go through something."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return await exchange.follow(through)

    return act


def ends_after(seconds: float) -> Fault:
    """A watch that ends in good order, much too soon."""

    async def cut_short(lines: Lines) -> Lines:
        try:
            async with asyncio.timeout(seconds):
                async for line in lines:
                    yield line
        except TimeoutError:
            return

    return watched(cut_short)


def breaks_after(seconds: float) -> Fault:
    """A watch whose connection is cut."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        asyncio.get_running_loop().call_later(seconds, exchange.cut)
        return await exchange.follow()

    return act


async def expired(_: Exchange) -> web.StreamResponse:
    """A watch that begins well and says 410 Gone in its first line."""
    line = json.dumps({"type": "ERROR", "object": _status(410, "Expired")})
    return web.Response(text=line + "\n", content_type="application/json")


async def bookmarks_only(exchange: Exchange) -> web.StreamResponse:
    """A watch that is alive and tells nothing: in the place of each event comes a bookmark of where it began."""
    since = exchange.query.get("resourceVersion", "0")

    async def keep_back(lines: Lines) -> Lines:
        async for line in lines:
            shown = json.loads(line)["object"]
            meta = {"metadata": {"resourceVersion": since}}
            mark = {"kind": shown["kind"], "apiVersion": shown["apiVersion"], **meta}
            yield json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n"

    return await exchange.follow(keep_back)


async def garbled(exchange: Exchange) -> web.StreamResponse:
    """A watch with a line in it that is no event."""

    async def spoil(lines: Lines) -> Lines:
        async for line in lines:
            yield b"upstream connect error or disconnect/reset before headers\n"
            yield line

    return await exchange.follow(spoil)


def crash(act: Callable[[], None], *, committed: bool) -> Fault:
    """Call `act`, which kills the caller, before the server sees the request, or when it has done as asked."""

    async def kill(exchange: Exchange) -> web.StreamResponse:
        if committed:
            await exchange.ask()
        act()
        return exchange.cut()

    return kill
