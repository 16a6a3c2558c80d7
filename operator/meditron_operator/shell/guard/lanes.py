"""One task for each key that is at work: however long one takes, no other waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from meditron_operator.errors import ApiError
from meditron_operator.shell.backoff import Backoff, Chance
from meditron_operator.shell.store import ObjectKey

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
        backoff = Backoff(self._chance)
        while True:
            woken.clear()
            delay = await self._attempt(key, backoff)
            if delay is None and not woken.is_set():
                del self._lanes[key]
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await woken.wait()

    async def _attempt(self, key: ObjectKey, backoff: Backoff) -> float | None:
        try:
            look_again = await self._work(key)
        except ApiError as error:
            delay = min(backoff.after(error), LONGEST_DELAY_SECONDS)
            log.warning("pass failed", key=key, error=str(error), again_in_seconds=round(delay, 1))
        except Exception as error:  # whatever it is, it must end neither this stop nor another
            delay = min(backoff.after(error), LONGEST_DELAY_SECONDS)
            log.exception("pass crashed", key=key, again_in_seconds=round(delay, 1))
        else:
            backoff.succeeded()
            return look_again
        self._failed()
        return delay
