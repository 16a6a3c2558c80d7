"""The parts of the running operator, wired together: session, observer, queue, reconciler, health."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from aiohttp import web
from kubernetes.client import Configuration

from meditron_operator import names
from meditron_operator.config import Config
from meditron_operator.errors import ApiError, ConflictError, FatalError, NotFoundError, RefusedError
from meditron_operator.shell.backoff import FIRST_DELAY_SECONDS, Chance
from meditron_operator.shell.cluster import CHILDREN, DEPLOYMENTS, Cluster
from meditron_operator.shell.extent import Reach
from meditron_operator.shell.giveway import GiveWay
from meditron_operator.shell.health import Vitals, serve
from meditron_operator.shell.lease import Clocks, Lease, Place, steady
from meditron_operator.shell.meter import Meter, Meters
from meditron_operator.shell.metrics import Metrics
from meditron_operator.shell.observer import Observer
from meditron_operator.shell.reconciler import Reconciler
from meditron_operator.shell.session import connect
from meditron_operator.shell.store import ObjectKey
from meditron_operator.shell.workqueue import WorkQueue

REFUSED_DELAY_SECONDS: Final = 2.0
"""Before the second try of what was refused, or of a conflict that the truth doesn't explain."""
_STREAMS_PER_PLACE: Final = len(CHILDREN) + 3  # and of deployments, pods, the Namespace
_UNKNOWN_SECONDS: Final = 5.0  # until a namespace that is not wholly known yet is looked at again

log = structlog.get_logger(__name__)


class Runtime:
    """Everything that lives as long as the process. Create it inside the event loop."""

    def __init__(self, config: Config, configuration: Configuration, wall: Callable[[], datetime]) -> None:
        self._config = config
        self._started = time.monotonic()
        self._reach = Reach(operator_namespace=config.operator_namespace, namespaces=config.watched_namespaces)
        self._wakes: asyncio.Queue[ObjectKey] = asyncio.Queue()
        self._tasks: asyncio.Task[None] | None = None
        self._health: web.AppRunner | None = None
        chance = Chance(clock=time.monotonic, random=random.random)
        self._connection = connect(configuration, streams=_STREAMS_PER_PLACE * len(self._reach.places))
        patience = config.request_timeout_seconds
        clocks = Clocks(steady=steady, wall=wall)
        place = Place(config.operator_namespace, names.OPERATOR_NAME)
        self._lease = Lease(Cluster(self._connection, patience), place, config.identity, clocks)
        self._cluster = Cluster(self._connection, patience, fence=lambda: self._lease.left)
        self.observer = Observer(self._cluster, self._wakes.put_nowait, chance, self._reach)
        self._meters = Meters(Meter(self._cluster, self._wakes.put_nowait, chance), Metrics())
        self._lease.changed = self._meters.metrics.lease
        self._reconciler = Reconciler(self._cluster, self.observer, self._meters, config, clocks.wall)
        self._way = GiveWay(chance.clock)
        self._queue = WorkQueue(self._reconcile, chance, self._is_stopped, first_delay=self._first_delay)

    async def start(self, stop: asyncio.Event) -> None:
        """Begin to work; `stop` is set should any part of it end, so that the process ends too."""
        self._health = await serve(
            self._config.health_host, self._config.health_port, self._vitals, self._meters.metrics.text
        )
        self._tasks = asyncio.create_task(self._run(), name="runtime")
        self._tasks.add_done_callback(lambda _: stop.set())

    async def close(self) -> None:
        """Stop working and close the session; raises what ended the work, if anything did."""
        if self._health is not None:
            await self._health.cleanup()
        try:
            if self._tasks is not None:
                self._tasks.cancel()
                await asyncio.wait([self._tasks])
                await self._lease.give_back()
                if not self._tasks.cancelled():
                    self._tasks.result()
        finally:
            await self._connection.http.close()

    async def _run(self) -> None:
        await self._require_crd()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.observer.run())
            group.create_task(self._lease.run())
            group.create_task(self._forward_wakes())
            await self.observer.synced()
            log.info("synced", seconds=round(time.monotonic() - self._started, 3))
            group.create_task(self._queue.run(self._config.workers))
            group.create_task(self._meters.meter.run())

    async def _require_crd(self) -> None:
        """Else its watch would ask again and again, and nobody hear why nothing happens."""
        for extent in self._reach.extents():
            try:
                await anext(self._cluster.pages(DEPLOYMENTS, extent, size=1))
            except NotFoundError:
                crd = f"{names.PLURAL}.{names.GROUP}"
                raise FatalError(f"the CRD {crd} is not installed: kubectl apply --server-side -f crds/") from None
            except ApiError as error:
                log.warning("list failed", plural=DEPLOYMENTS.plural, error=str(error))

    async def _reconcile(self, key: ObjectKey) -> float | None:
        """Nothing is decided while another operator may be at work: it would be stale by the time it is written."""
        if not self.observer.knows(key[0]):
            return _UNKNOWN_SECONDS
        await self._lease.wait()
        if (rest := self._way.left(key, stopped=self._is_stopped(key))) > 0:
            return rest
        return await self._reconciler.reconcile(key)

    def _is_stopped(self, key: ObjectKey) -> bool:
        """A kill switch waits for nobody, however many deployments do."""
        deployment = self.observer.deployment(key)
        return deployment is not None and self.observer.off(deployment) is not None

    def _first_delay(self, key: ObjectKey, error: ApiError) -> float:
        """Whatever refuses a stop, a policy or a missing right, may be gone any moment."""
        patient = isinstance(error, RefusedError | ConflictError) and not self._is_stopped(key)
        return REFUSED_DELAY_SECONDS if patient else FIRST_DELAY_SECONDS

    async def _forward_wakes(self) -> None:
        """Stores change in callbacks, the queue is asynchronous: this carries the keys across."""
        while True:
            await self._queue.wake(await self._wakes.get())

    def _vitals(self) -> Vitals:
        now = time.monotonic()

        def age(moment: float | None) -> float | None:
            return None if moment is None else now - moment

        return Vitals(
            uptime=now - self._started,
            watches={plural: age(moment) for plural, moment in self.observer.heard().items()},
            last_success=age(self._queue.last_success),
            oldest_waiting=age(self._queue.oldest_ready),
            waiting=len(self._queue),
            synced=self.observer.is_synced,
            lease=self._lease.waits_for,
        )
