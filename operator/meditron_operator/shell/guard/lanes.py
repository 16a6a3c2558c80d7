"""One task for each key that is at work: however long one takes, no other waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from meditron_operator.errors import ApiError
from meditron_operator.shell.store import ObjectKey
from meditron_operator.shell.workqueue import Chance, backoff_seconds

LONGEST_DELAY_SECONDS: Final = 5.0  # a stop that fails is never left alone for longer

log = structlog.get_logger(__name__)


class Lanes:
    """Runs `work(key)` for every key that is woken: at once, never twice at a time, again if woken meanwhile.

    `work` returns the seconds after which it wants to look again, or None for not by itself.
    """

    def __init__(
        self, work: Callable[[ObjectKey], Awaitable[float | None]], chance: Chance, failed: Callable[[], None]
    ) -> None:
        self._work = work
        self._chance = chance
        self._failed = failed
        self._lanes: dict[ObjectKey, asyncio.Event] = {}
        self._group: asyncio.TaskGroup | None = None
        self._early: dict[ObjectKey, None] = {}  # woken before `run`

    def wake(self, key: ObjectKey) -> None:
        """Have `key` worked on at once. Call it from the event loop."""
        if self._group is None:
            self._early[key] = None
        elif (woken := self._lanes.get(key)) is not None:
            woken.set()
        else:
            self._lanes[key] = asyncio.Event()
            self._group.create_task(self._follow(key, self._lanes[key]))

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for key in self._early:
                self.wake(key)
            await asyncio.Event().wait()

    async def _follow(self, key: ObjectKey, woken: asyncio.Event) -> None:
        failures = 0
        while True:
            woken.clear()
            delay, failures = await self._attempt(key, failures)
            if delay is None and not woken.is_set():
                del self._lanes[key]
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await woken.wait()

    async def _attempt(self, key: ObjectKey, failures: int) -> tuple[float | None, int]:
        try:
            return await self._work(key), 0
        except ApiError as error:
            delay = min(error.retry_after or self._backoff(failures), LONGEST_DELAY_SECONDS)
            log.warning("pass failed", key=key, error=str(error), again_in_seconds=round(delay, 1))
        except Exception:  # whatever it is, it must end neither this stop nor another
            delay = self._backoff(failures)
            log.exception("pass crashed", key=key, again_in_seconds=round(delay, 1))
        self._failed()
        return delay, failures + 1

    def _backoff(self, failures: int) -> float:
        return min(LONGEST_DELAY_SECONDS, backoff_seconds(failures + 1, self._chance.random()))
