"""Asks engines from outside their pods: does anybody answer there, and is there anything left to answer?"""

import asyncio
from typing import Final

import aiohttp
from yarl import URL

from meditron_operator.core.guard.idle import is_idle
from meditron_operator.core.guard.proof import Answer
from meditron_operator.names import ENGINE_PORT

LIMIT_SECONDS: Final = 1.0
_LONGEST_METRICS_BYTES: Final = 2**20

Address = tuple[str, int]


class Prober:
    """A session of its own: these are no API servers, and get no token. The caller closes it."""

    def __init__(self) -> None:
        timeout = aiohttp.ClientTimeout(total=LIMIT_SECONDS, sock_connect=0.9 * LIMIT_SECONDS)
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        self._http = aiohttp.ClientSession(connector=connector, timeout=timeout)

    async def close(self) -> None:
        await self._http.close()

    async def answers(self, addresses: set[Address]) -> dict[Address, Answer]:
        """All at the same time, so that many take no longer than one."""
        ordered = sorted(addresses)
        found = await asyncio.gather(*(self._answer(address) for address in ordered))
        return dict(zip(ordered, found, strict=True))

    async def is_idle(self, ip: str) -> bool:
        """Whether the engine says that it has nothing to do. No answer is no idleness."""
        try:
            async with self._http.get(_url((ip, ENGINE_PORT), "/metrics")) as response:
                text = await response.content.read(_LONGEST_METRICS_BYTES)
                return response.status == 200 and is_idle(text.decode(errors="replace"))
        except (aiohttp.ClientError, OSError, ValueError):
            return False

    async def _answer(self, address: Address) -> Answer:
        try:
            async with self._http.get(_url(address, "/health"), allow_redirects=False):
                return Answer.HTTP
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Answer.NONE
        except (aiohttp.ClientError, OSError, ValueError):
            return Answer.CONNECTION


def _url(address: Address, path: str) -> URL:
    ip, port = address
    return URL.build(scheme="http", host=ip, port=port, path=path)
