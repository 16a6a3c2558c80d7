"""Holds a Lease, or waits for it: only the operator that holds its one writes anything else.

Kopf has no leader election. Two operators at once would not destroy anything, since every write carries what it is
based on, but they would undo each other's work for ever when they differ.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from meditron_operator.core.lease import HOLD_SECONDS, RETRY_SECONDS, Sight, created, returned, see, taken
from meditron_operator.errors import ApiError, ConflictError, NotFoundError
from meditron_operator.shell.cluster import LEASES, Cluster

_GIVE_BACK_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Clocks:
    """What time it is, handed in by whoever starts the process."""

    steady: Callable[[], float]
    """Seconds; it never jumps, and goes on while the machine sleeps."""
    wall: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lease lies."""

    namespace: str
    name: str


class Lease:
    """One process's part in a lease: `run` it, `wait` for it; it is held while `left` is positive."""

    def __init__(self, cluster: Cluster, place: Place, identity: str, clocks: Clocks) -> None:
        """`cluster` must be one that is not fenced by this very lease."""
        self._cluster = cluster
        self._place = place
        self._identity = identity
        self._clocks = clocks
        self._until = 0.0
        self._sight: Sight | None = None
        self._told: str | None = ""  # unlike any answer of `waits_for`: the first one is always told
        self._held = asyncio.Event()
        self._problem: str | None = None
        self.changed: Callable[[bool], object] = lambda _: None
        """Hears of every change, whether it is held."""

    @property
    def left(self) -> float:
        """Seconds for which nobody else can hold it; not positive when it is not held."""
        return self._until - self._clocks.steady()

    @property
    def waits_for(self) -> str | None:
        """What is waited for, in words; None while it is held."""
        if self.left > 0:
            return None
        if self._problem is not None:
            return self._problem
        return f"held by {self._sight.holder}" if self._sight and self._sight.holder else "not taken yet"

    @property
    def is_anothers(self) -> bool:
        """Whether somebody else is known to hold it, and to have renewed it in time."""
        return self._sight is not None and not self._sight.is_free_for(self._identity, self._clocks.steady())

    async def wait(self) -> None:
        """Return once it is held."""
        while self.left <= 0:
            self._held.clear()
            await self._held.wait()

    async def run(self) -> None:
        """Take it as soon as it is free, renew it, take it again should it be lost; until cancelled."""
        while True:
            try:
                async with asyncio.timeout(HOLD_SECONDS / 2):
                    await self._hold()
            except ApiError as error:
                self._problem = f"can't be had: {error}"
            except TimeoutError:
                self._problem = "can't be had: the API server doesn't answer"
            self._tell()
            await asyncio.sleep(RETRY_SECONDS)

    async def give_back(self) -> None:
        """Write nothing more, and let the next one take it at once. Call it when nothing is being written."""
        held, self._until = self.left > 0, 0.0
        if not held or self._sight is None:
            return
        try:
            async with asyncio.timeout(_GIVE_BACK_SECONDS):
                await self._cluster.replace(returned(self._sight, self._clocks.wall()))
        except (ApiError, TimeoutError) as error:
            log.warning("lease not given back", error=str(error) or type(error).__name__)

    async def _hold(self) -> None:
        """Once more when somebody wrote to it or deleted it meanwhile: that may have been an edit, or its loss."""
        try:
            await self._try()
        except (ConflictError, NotFoundError):
            self._sight = None
            await self._try()

    async def _try(self) -> None:
        """Take or renew it if it is free, by one write."""
        sight, begin, now = await self._look(), self._clocks.steady(), self._clocks.wall()
        if sight is None:
            lease = created(self._place.namespace, self._place.name, self._identity, now)
            self._renewed(Sight(await self._cluster.create(lease), begin))
        elif sight.is_free_for(self._identity, begin):
            self._renewed(Sight(await self._cluster.replace(taken(sight, self._identity, now)), begin))

    async def _look(self) -> Sight | None:
        """Who has it. No need to ask while it is oneself: a renewal fails when somebody else wrote to it."""
        if self._sight is not None and self._sight.holder == self._identity:
            return self._sight
        try:
            body = await self._cluster.read(LEASES, self._place.namespace, self._place.name)
        except NotFoundError:
            return None
        self._sight, self._problem = see(body, self._sight, self._clocks.steady()), None
        if self._sight.holder not in ("", self._identity):
            self._until = 0.0
        return self._sight

    def _renewed(self, sight: Sight) -> None:
        """It counts from when the request began: later the server can't have begun to count."""
        self._sight, self._problem = sight, None
        self._until = sight.since + HOLD_SECONDS
        self._held.set()

    def _tell(self) -> None:
        """Say what changed, once."""
        waits_for = self.waits_for
        if waits_for == self._told:
            return
        self._told = waits_for
        self.changed(waits_for is None)
        if waits_for is None:
            log.info("lease held", identity=self._identity)
        else:
            log.warning("lease not held", lease=waits_for, identity=self._identity)


def steady() -> float:
    """Seconds that go on while the machine sleeps, where the kernel has such a clock: the others' do, too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
