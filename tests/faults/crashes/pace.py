"""News one at a time, so that two runs write the same: which news come as one is otherwise the machine's to say."""

import asyncio
from typing import Final

from aiohttp import web

from tests.faults.proxy import Exchange, Lines

CALM_SECONDS: Final = 0.03
"""After its last answer the operator has asked whatever it wanted to."""


class OneByOne:
    """What becomes of requests: each line of a watch waits until the operator has done what the last one led to."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()
        self._asking = 0
        self._since = 0.0

    async def __call__(self, exchange: Exchange) -> web.StreamResponse:
        if exchange.call.verb == "watch":
            return await exchange.follow(self._one_by_one)
        self._asking += 1
        self._idle.clear()
        try:
            return await exchange.forward()
        finally:
            self._asking -= 1
            self._since = _now()
            if not self._asking:
                self._idle.set()

    async def _one_by_one(self, lines: Lines) -> Lines:
        async for line in lines:
            async with self._turn:
                await self._calm()
                self._since = _now()
            yield line

    async def _calm(self) -> None:
        while True:
            await self._idle.wait()
            left = self._since + CALM_SECONDS - _now()
            if left <= 0:
                return
            await asyncio.sleep(left)


def _now() -> float:
    return asyncio.get_running_loop().time()
