"""A work queue as controller-runtime has one: keys, not events.

A key waits at most once, is worked on by at most one worker at a time, and a key that is woken while it is
worked on runs once more afterwards. Failures come back after a capped, jittered, growing delay; a key that
fails for ever holds up no other.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

import structlog

from meditron_operator.errors import ApiError
from meditron_operator.shell.backoff import FIRST_DELAY_SECONDS, Backoff, Chance

Key = TypeVar("Key", bound=Hashable)

_STALE_TIMERS: Final = 100  # entries of looks that came earlier; more are swept out

log = structlog.get_logger(__name__)


class WorkQueue(Generic[Key]):
    """Runs `work(key)` for every key that is woken.

    `work` returns the seconds after which it wants to look again, or None for not by itself. What is `urgent`
    goes before everything that waits. `first_delay` is the longest pause, in seconds, after a first failure.
    """

    def __init__(
        self,
        work: Callable[[Key], Awaitable[float | None]],
        chance: Chance,
        urgent: Callable[[Key], bool] = lambda _: False,
        *,
        name: str = "deployments",
        first_delay: Callable[[Key, ApiError], float] = lambda _key, _error: FIRST_DELAY_SECONDS,
    ) -> None:
        self._work = work
        self._first_delay = first_delay
        self._log = log.bind(queue=name)
        self._urgent = urgent
        self._chance = chance
        self._ready: deque[Key] = deque()
        self._waiting: set[Key] = set()  # in _ready
        self._running: set[Key] = set()
        self._again: set[Key] = set()  # woken while running
        self._backoffs: dict[Key, Backoff] = {}  # of those that failed
        self._due: dict[Key, float] = {}  # earliest planned look; the heap may hold stale entries
        self._timers: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._changed = asyncio.Condition()
        self.last_success: float | None = None
        self.oldest_ready: float | None = None

    def __len__(self) -> int:
        return len(self._ready)

    async def wake(self, key: Key) -> None:
        """Have `key` worked on soon."""
        async with self._changed:
            self._enqueue(key)
            self._changed.notify_all()

    async def run(self, workers: int) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._fire_timers())
            for _ in range(workers):
                group.create_task(self._worker())

    def _enqueue(self, key: Key) -> None:
        if key in self._running:
            self._again.add(key)
            return
        urgent, waits = self._urgent(key), key in self._waiting
        if waits and not urgent:
            return
        if waits:
            self._ready.remove(key)
        if urgent:
            self._ready.appendleft(key)
        else:
            self._ready.append(key)
        self._waiting.add(key)
        if self.oldest_ready is None:
            self.oldest_ready = self._chance.clock()

    async def _worker(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._ready))
                key = self._ready.popleft()
                self._waiting.discard(key)
                self._running.add(key)
                self._due.pop(key, None)
                self.oldest_ready = self._chance.clock() if self._ready else None
            delay = await self._attempt(key)
            async with self._changed:
                self._running.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self._enqueue(key)
                elif delay is not None:
                    self._plan(key, delay)
                self._changed.notify_all()

    async def _attempt(self, key: Key) -> float | None:
        """Work on one key; how long to wait before the next look."""
        try:
            delay = await self._work(key)
        except ApiError as error:
            delay = self._pauses(key).after(error, self._first_delay(key, error))
            self._log.warning("pass failed", key=key, error=str(error), again_in_seconds=round(delay, 1))
            return delay
        except (Exception, asyncio.CancelledError) as error:  # whatever it is, it must not end the work on all others
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise  # it is us who are asked to end
            delay = self._pauses(key).after(error)
            self._log.exception("pass crashed", key=key, again_in_seconds=round(delay, 1))
            return delay
        self._backoffs.pop(key, None)
        self.last_success = self._chance.clock()
        return delay

    def _pauses(self, key: Key) -> Backoff:
        return self._backoffs.setdefault(key, Backoff(self._chance))

    def _plan(self, key: Key, delay: float) -> None:
        due = self._chance.clock() + delay
        self._due[key] = due
        heapq.heappush(self._timers, (due, next(self._order), key))
        if len(self._timers) > 2 * len(self._due) + _STALE_TIMERS:
            self._timers = [timer for timer in self._timers if self._due.get(timer[2]) == timer[0]]
            heapq.heapify(self._timers)

    async def _fire_timers(self) -> None:
        while True:
            async with self._changed:
                now = self._chance.clock()
                while self._timers and self._timers[0][0] <= now:
                    due, _, key = heapq.heappop(self._timers)
                    if self._due.get(key) == due:
                        del self._due[key]
                        self._enqueue(key)
                        self._changed.notify_all()
                timeout = self._timers[0][0] - now if self._timers else None
                try:
                    async with asyncio.timeout(timeout):
                        await self._changed.wait()
                except TimeoutError:
                    continue
