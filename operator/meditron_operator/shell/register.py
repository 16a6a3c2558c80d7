"""The register of the kill switch: a KillRecord for each stop, release and resume, and its outcome.

Two guards keep it at once, and either may end between any two requests. What is due comes of comparing a carrier with
the records: whoever looks next goes on. The name of a record is its number, so of two that write the same one the
second is told, reads what the first wrote, and decides again. A carrier is read anew after the records are known and
before anything is written: news of it may come later than news of them, and an old state must not be written down.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from meditron_operator import names
from meditron_operator.core.killswitch import Scope
from meditron_operator.core.killswitch.admitted import admitted_at
from meditron_operator.core.killswitch.carrier import Carrier, Outcome
from meditron_operator.core.killswitch.records import (
    Record,
    Target,
    concerned,
    due,
    home,
    in_force,
    name_of,
    next_record,
    outcome_of,
    plain_outcome,
    target_of,
    unfinished,
    vanished,
)
from meditron_operator.core.live import Manifest, Ref
from meditron_operator.errors import ConflictError, NotFoundError, UnavailableError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import DEPLOYMENTS, NAMESPACES, RECORDS, Cluster, Resource
from meditron_operator.shell.extent import ALL
from meditron_operator.shell.store import Store
from meditron_operator.shell.watch import Watch

# More than two guards can take from each other; whoever is behind by more tries again later.
_TRIES: Final = 20

log = structlog.get_logger(__name__)


class Register:
    """Keeps the records. Some 3 KB are held for each that there is."""

    def __init__(self, cluster: Cluster, chance: Chance) -> None:
        self._cluster = cluster
        self.changed: Callable[[Target], None] = lambda _: None  # hears whose records are not as they were
        self._records = Store[Record](
            Record.of, lambda record: record.namespace, lambda record: self.changed(target_of(record))
        )
        self.watch: Final = Watch(cluster, RECORDS, self._records, ALL, chance)

    async def run(self) -> None:
        """Follow the records until cancelled; before that nothing is kept."""
        await self.watch.run()

    async def keep(self, carrier: Carrier, seen_at: str) -> str | None:
        """Write whatever is due, and put back what vanished; the name of the record of the stop in force.

        Raises an ApiError where it can't, and UnavailableError until the records were read for the first time.
        """
        for _ in range(_TRIES):
            known = self._known(carrier)
            record = unfinished(carrier, known)
            if record is not None:
                await self._finish(record, plain_outcome(record))
            elif due(carrier, known) is None and vanished(carrier, known) is None:
                stop = in_force(carrier, known)
                return stop.name if stop else None
            else:  # by the carrier as it was seen: the one that is read now is at least as new as the records
                live = await self._read(carrier)
                if live is None:
                    return None
                carrier = await self._step(_as_is(carrier, live), live, known, seen_at)
        raise UnavailableError(f"the records of {home(carrier)} change too fast for the next one")

    async def conclude(self, carrier: Carrier, outcome: Outcome) -> None:
        """Write what the stop came to into its record: once where that is final, else as it changes."""
        for _ in range(_TRIES):
            record = concerned(carrier, outcome.state, self._known(carrier))
            if record is None or not await self._finish(record, outcome_of(record, outcome)):
                return

    def _known(self, carrier: Carrier) -> tuple[Record, ...]:
        if not self.watch.synced.is_set():
            raise UnavailableError("the records of the kill switch have not been read yet")
        return self._records.group(home(carrier))

    async def _read(self, carrier: Carrier) -> Manifest | None:
        try:
            return await self._cluster.read(*_place(carrier))
        except NotFoundError:
            return None

    async def _step(self, carrier: Carrier, live: Manifest, known: tuple[Record, ...], seen_at: str) -> Carrier:
        """One write, the first that is due; the carrier as it is afterwards."""
        entry = due(carrier, known)
        if entry is not None:
            await self._write(next_record(entry, carrier, seen_at, known))
            return carrier
        back = vanished(carrier, known)
        if back is None or await self._has_newer(carrier, known):
            return carrier
        log.warning("kill switch vanished, engaging it again", scope=carrier.scope, target=carrier.name, **back)
        try:
            return _as_is(carrier, await self._engage(carrier, live, back))
        except ConflictError:
            return carrier

    async def _engage(self, carrier: Carrier, live: Manifest, annotations: Mapping[str, str]) -> Manifest:
        """Of exactly the object that was read; ConflictError when it changed since."""
        resource, namespace, name = _place(carrier)
        read = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
        ref = Ref(kind=resource.kind, namespace=namespace, name=name)
        return await self._cluster.annotate(resource, ref, read, annotations)

    async def _write(self, record: Manifest) -> None:
        meta, spec = record["metadata"], record["spec"]
        try:
            answer = await self._cluster.create_record(record)
            log.info("record written", record=meta["name"], namespace=meta["namespace"], action=spec["action"])
        except ConflictError:  # the other guard was faster
            answer = await self._cluster.read(RECORDS, meta["namespace"], meta["name"])
        self._records.put(answer)

    async def _has_newer(self, carrier: Carrier, known: tuple[Record, ...]) -> bool:
        """Whether a record was written that has not come to us: it may be the release."""
        name = name_of(max(record.sequence for record in known) + 1)
        try:
            self._records.put(await self._cluster.read(RECORDS, home(carrier), name))
        except NotFoundError:
            return False
        return True

    async def _finish(self, record: Record, status: Mapping[str, Any]) -> bool:
        """Write an outcome; False where there is nothing to write, or nothing more may be."""
        gone = dict.fromkeys(record.status.keys() - status.keys())
        change = {key: value for key, value in status.items() if record.status.get(key) != value} | gone
        if record.outcome is not None or not change:
            return False
        ref = Ref(kind=names.RECORD_KIND, namespace=record.namespace, name=record.name)
        try:
            answer = await self._cluster.patch_record(ref, record.resource_version, change)
        except ConflictError:
            answer = await self._cluster.read(RECORDS, record.namespace, record.name)
        self._records.put(answer)
        return True


def _place(carrier: Carrier) -> tuple[Resource, str, str]:
    """Where the carrier itself is."""
    if carrier.scope is Scope.DEPLOYMENT:
        return DEPLOYMENTS, carrier.namespace, carrier.name
    return NAMESPACES, "", carrier.name


def _as_is(carrier: Carrier, live: Manifest) -> Carrier:
    """As it was read just now, with the time of what it says now."""
    metadata = live["metadata"]
    annotations = metadata.get("annotations") or {}
    telling = (names.KILL_SWITCH, names.RESUME, names.RELEASE_APPROVED_BY)
    key = next((key for key in telling if key in annotations), "")
    when = admitted_at(metadata, key) or carrier.admitted_at
    return replace(carrier, uid=metadata["uid"], annotations=annotations, admitted_at=when)
