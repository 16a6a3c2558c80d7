"""The parts of the running operator, wired together: session, observer, queue, reconciler, health."""

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Final

import structlog
from aiohttp import web
from kubernetes.client import Configuration

from meditron_operator import names
from meditron_operator.config import Config
from meditron_operator.core.live import Live, Manifest
from meditron_operator.errors import ApiError, FatalError, NotFoundError, RefusedError
from meditron_operator.shell.cluster import CHILDREN, DEPLOYMENTS, Cluster
from meditron_operator.shell.extent import Extent, Reach
from meditron_operator.shell.giveway import GiveWay
from meditron_operator.shell.health import Vitals, serve
from meditron_operator.shell.lease import Clocks, Lease, Place, steady
from meditron_operator.shell.meter import Meter
from meditron_operator.shell.metrics import Metrics
from meditron_operator.shell.observer import Observer, oldest
from meditron_operator.shell.overheard import Overheard
from meditron_operator.shell.reconciler import Meters, Reconciler
from meditron_operator.shell.session import Connection, connect
from meditron_operator.shell.watch import ObjectKey, Store
from meditron_operator.shell.workqueue import Chance, WorkQueue

_LIST_RETRY_SECONDS: Final = 5.0
_STREAMS_PER_PLACE: Final = len(CHILDREN) + 3  # and of pods, the Namespace, and Kopf's own
_UNKNOWN_SECONDS: Final = 5.0  # until a namespace that is not wholly known yet is looked at again

log = structlog.get_logger(__name__)


class Runtime:
    """Everything that lives as long as the process. Create it inside the event loop."""

    def __init__(self, config: Config, configuration: Configuration) -> None:
        self._config = config
        self._started = time.monotonic()
        reach = Reach(operator_namespace=config.operator_namespace, namespaces=config.watched_namespaces)
        self._streams = _STREAMS_PER_PLACE * len(reach.places)
        self._overheard = Overheard(reach, time.monotonic)
        self._wakes: asyncio.Queue[ObjectKey] = asyncio.Queue()
        self._tasks: asyncio.Task[None] | None = None
        self._health: web.AppRunner | None = None
        chance = Chance(clock=time.monotonic, random=random.random)
        self._configuration = configuration
        self._connections: list[Connection] = []
        connection, patience = self.connect(), config.request_timeout_seconds
        clocks = Clocks(steady=steady, wall=lambda: datetime.now(UTC))
        place = Place(config.operator_namespace, names.OPERATOR_NAME)
        self._lease = Lease(Cluster(connection, patience), place, config.identity, clocks)
        self._cluster = Cluster(connection, patience, fence=lambda: self._lease.left)
        self.observer = Observer(self._cluster, self._wakes.put_nowait, chance, reach)
        self._meters = Meters(Meter(self._cluster, self._wakes.put_nowait, chance), Metrics())
        self._lease.changed = self._meters.metrics.lease
        self._reconciler = Reconciler(self._cluster, self.observer, self._meters, config, clocks.wall)
        self._way = GiveWay(chance.clock)
        self._queue = WorkQueue(self._reconcile, chance, self._is_stopped)

    def connect(self) -> Connection:
        """A session of its own, closed with the runtime at the latest: Kopf closes one that once got a 401."""
        connection = connect(self._configuration, self._overheard.answered, streams=self._streams)
        self._connections = [kept for kept in self._connections if not kept.http.closed] + [connection]
        return connection

    @property
    def deployments(self) -> Store[Live]:
        """The deployments, as Kopf shows them."""
        return self.observer.deployments

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
            for connection in self._connections:
                await connection.http.close()

    async def _run(self) -> None:
        await self._require_crd()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.observer.run())
            group.create_task(self._lease.run())
            group.create_task(self._forward_wakes())
            group.create_task(self._check_after_lists())
            await self.observer.synced()
            log.info("synced", seconds=round(time.monotonic() - self._started, 3))
            group.create_task(self._queue.run(self._config.workers))
            group.create_task(self._meters.meter.run())

    async def _require_crd(self) -> None:
        """Without it Kopf would look once, find nothing to watch, and stay blind when it comes."""
        for extent in self._overheard.extents:
            try:
                await self._list(extent)
            except NotFoundError:
                crd = f"{names.PLURAL}.{names.GROUP}"
                raise FatalError(f"the CRD {crd} is not installed: kubectl apply --server-side -f crds/") from None
            except ApiError as error:
                log.warning("list failed", plural=DEPLOYMENTS.plural, error=str(error))

    async def _list(self, extent: Extent) -> tuple[list[Manifest], str]:
        return await self._cluster.list(DEPLOYMENTS, extent.selector, namespace=extent.namespace)

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

    async def _forward_wakes(self) -> None:
        """Stores change in callbacks, the queue is asynchronous: this carries the keys across."""
        while True:
            await self._queue.wake(await self._wakes.get())

    async def _check_after_lists(self) -> None:
        """When Kopf had to list the deployments anew it doesn't tell which are gone: find out."""
        while True:
            await self._overheard.relisted.wait()
            self._overheard.relisted.clear()
            for extent in self._overheard.extents:
                await self._check(extent)

    async def _check(self, extent: Extent) -> None:
        try:
            objects, version = await self._list(extent)
        except ApiError as error:
            log.warning("list failed", plural=DEPLOYMENTS.plural, error=str(error))
            if isinstance(error, RefusedError):
                return
            self._overheard.relisted.set()
            await asyncio.sleep(error.retry_after or _LIST_RETRY_SECONDS)
        else:
            self.deployments.replace_all(objects, version, extent)

    def _vitals(self) -> Vitals:
        now = time.monotonic()

        def age(moment: float | None) -> float | None:
            return None if moment is None else now - moment

        places = self._overheard.heard(self.observer.shut)
        kinds = self.observer.heard() | ({DEPLOYMENTS.plural: oldest(places.values())} if places else {})
        return Vitals(
            uptime=now - self._started,
            watches={plural: age(moment) for plural, moment in kinds.items()},
            last_success=age(self._queue.last_success),
            oldest_waiting=age(self._queue.oldest_ready),
            waiting=len(self._queue),
            synced=self.observer.is_synced and None not in places.values(),
            lease=self._lease.waits_for,
        )
