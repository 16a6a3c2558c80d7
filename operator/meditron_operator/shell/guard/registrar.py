"""Has records written: of every carrier of a switch, once what it stops has been sent its requests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meditron_operator.core.guard.course import rfc3339
from meditron_operator.core.guard.outcomes import is_switched, outcome
from meditron_operator.core.killswitch import SwitchState
from meditron_operator.core.killswitch.carrier import Carrier, Outcome
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.guard.known import CarrierKey, Known, key_of
from meditron_operator.shell.guard.records import Records
from meditron_operator.shell.guard.stopper import Stopper
from meditron_operator.shell.workqueue import WorkQueue

WORKERS: Final = 4
SOON_SECONDS: Final = 0.05  # until what is to be stopped has been sent its requests
OPEN_SECONDS: Final = 1.0  # until the outcome of a stop is known


@dataclass(slots=True)
class Entry:
    """One carrier as it was last seen."""

    carrier: Carrier
    seen_at: str
    kept: bool = False
    concluded: Outcome | None = None


class Registrar:
    """Keeps carriers and records in step. No stop waits for it."""

    def __init__(
        self, records: Records, known: Known, stopper: Stopper, now: Callable[[], datetime], chance: Chance
    ) -> None:
        self._records, self._known, self._stopper, self._now = records, known, stopper, now
        self._entries: dict[CarrierKey, Entry] = {}
        self._queue = WorkQueue[CarrierKey](self._keep, chance, name="carriers")

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._records.run())
            group.create_task(self._queue.run(WORKERS))

    def wake(self, carrier: Carrier) -> Awaitable[None]:
        """Its annotations may have changed."""
        return self._queue.wake(key_of(carrier))

    def look_again(self, key: CarrierKey) -> Carrier | None:
        """Its records changed; the carrier to wake for that."""
        if entry := self._entries.get(key):
            entry.kept = False
        return self._known.current(key)

    async def _keep(self, key: CarrierKey) -> float | None:
        carrier = self._known.current(key)
        if carrier is None:
            self._entries.pop(key, None)
            self._stopper.records.pop(key, None)
            return None
        covered = self._known.covered_by(carrier)
        if not self._known.synced or not all(self._stopper.has_sent(target.key) for target in covered):
            return SOON_SECONDS
        entry = self._entries.get(key)
        if entry is None or entry.carrier != carrier:
            entry = self._entries[key] = Entry(carrier, rfc3339(self._now()))
        if not entry.kept:
            record = await self._records.keep(carrier, entry.seen_at)
            entry.kept = True
            self._tell(key, record)
        return await self._conclude(entry)

    def _tell(self, key: CarrierKey, record: str | None) -> None:
        """The statuses name the record of their stop."""
        if record is None:
            self._stopper.records.pop(key, None)
        elif self._stopper.records.get(key) != record:
            self._stopper.records[key] = record
            for target in self._known.covered_by(self._entries[key].carrier):
                self._stopper.consider(target.key)

    async def _conclude(self, entry: Entry) -> float | None:
        """Write the outcome down once it is known, and again should it become a better one."""
        covered = self._known.covered_by(entry.carrier)
        found = outcome(entry.carrier, [target.status for target in covered])
        if found is None:
            return OPEN_SECONDS if is_switched(entry.carrier) else None
        if entry.concluded is None or entry.concluded.state is not found.state:
            await self._records.conclude(entry.carrier, found)
            entry.concluded = found
        return None if found.state is not SwitchState.ENGAGED_UNVERIFIED else OPEN_SECONDS
