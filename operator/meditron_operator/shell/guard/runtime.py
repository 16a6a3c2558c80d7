"""The parts of the running guard, wired together."""

import asyncio
import gc
import random
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from kubernetes.client import Configuration

from meditron_operator import names
from meditron_operator.config import GuardConfig
from meditron_operator.core.killswitch.carrier import Carrier
from meditron_operator.core.killswitch.records import Target
from meditron_operator.errors import FatalError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.guard.hands import Hands
from meditron_operator.shell.guard.known import Known
from meditron_operator.shell.guard.looker import Looker
from meditron_operator.shell.guard.metrics import GuardMetrics
from meditron_operator.shell.guard.prober import Prober
from meditron_operator.shell.guard.records import Records
from meditron_operator.shell.guard.registrar import Registrar
from meditron_operator.shell.guard.stopper import Stopper, Tools
from meditron_operator.shell.guard.teller import Teller
from meditron_operator.shell.health import Vitals, serve
from meditron_operator.shell.lease import Clocks, Lease, Place, steady
from meditron_operator.shell.register import Register
from meditron_operator.shell.session import connect

SWITCH_LIMIT_SECONDS: Final = 30.0  # three polls and as many watches
KEEP_ALIVE_SECONDS: Final = 60.0  # less than an API server's 90
PORT_SECONDS: Final = 2.0  # until a port that is taken is tried again
_BLIND_CHECK_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Guard:
    """Everything that watches and stops. Create it inside the event loop."""

    def __init__(self, cluster: Cluster, prober: Prober, config: GuardConfig, records: Records, chance: Chance) -> None:
        self.lease = Lease(
            cluster,
            Place(config.operator_namespace, names.GUARD_NAME),
            config.identity,
            Clocks(steady=steady, wall=_now),
        )
        self.known = Known(cluster, config.operator_namespace, chance)
        self.known.fail_closed_after = config.fail_closed_after_seconds
        self.metrics = GuardMetrics(self.known.ages)
        self._hands = Hands(cluster, _now, self.metrics.failed)
        tools = Tools(
            known=self.known,
            teller=Teller(cluster, self.known, self.metrics),
            looker=Looker(cluster, prober, time.monotonic),
            hands=self._hands,
            metrics=self.metrics,
            goes_second=lambda: self.lease.is_anothers,
        )
        self.stopper = Stopper(tools, _now, chance)
        self._registrar = Registrar(records, self.known, self.stopper, _now, chance)
        self._carried: asyncio.Queue[Carrier] = asyncio.Queue()
        self.known.wake = self.stopper.consider
        self.known.carried = self._carried.put_nowait
        records.changed = self._record_changed

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            await self._work()
        finally:
            self._hands.drop()
            await self.lease.give_back()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.stopper.acts.run())
            group.create_task(self.stopper.proofs.run())
            group.create_task(self.known.run())
            group.create_task(self.lease.run())
            group.create_task(self._registrar.run())
            group.create_task(self._forward())
            if self.known.fail_closed_after:
                group.create_task(self._mind_blindness())

    def _record_changed(self, target: Target) -> None:
        """Perhaps its annotations vanished before this guard knew of the record."""
        carrier = self._registrar.look_again((target.scope, target.namespace, target.name))
        if carrier is not None:
            self._carried.put_nowait(carrier)

    async def _forward(self) -> None:
        """Stores change in callbacks, the queue is asynchronous: this carries the carriers across."""
        while True:
            await self._registrar.wake(await self._carried.get())

    async def _mind_blindness(self) -> None:
        """Nothing happens when the switch can't be read: so the clock has to tell."""
        was_blind = False
        while True:
            await asyncio.sleep(_BLIND_CHECK_SECONDS)
            if (is_blind := self.known.is_blind) != was_blind:
                was_blind = is_blind
                log.warning("blind" if is_blind else "sees again", ages=self.known.switch_ages())
                for target in self.known.targets.all():
                    self.stopper.consider(target.key)


def run(config: GuardConfig, configuration: Configuration) -> None:
    """Run until a signal. Raises FatalError when it can't start, or when a part of it ended that never should."""
    gc.freeze()  # what is imported stays: else each search for garbage looks through all of it
    try:
        asyncio.run(_serve(config, configuration))
    except OSError as failed:
        raise FatalError(str(failed)) from failed
    except ExceptionGroup as failed:
        raise FatalError(f"a part of it ended: {failed.exceptions[0]}") from failed


async def _serve(config: GuardConfig, configuration: Configuration) -> None:
    connection = connect(configuration, keep_alive_seconds=KEEP_ALIVE_SECONDS)
    cluster, prober = Cluster(connection, config.request_timeout_seconds, names.GUARD_NAME), Prober()
    chance, started = Chance(clock=time.monotonic, random=random.random), time.monotonic()
    guard = Guard(cluster, prober, config, Register(cluster, chance), chance)

    def vitals() -> Vitals:
        switches = guard.known.switch_ages()
        return Vitals(
            uptime=time.monotonic() - started,
            watches=guard.known.ages(),
            last_success=None,
            oldest_waiting=None,
            waiting=0,
            synced=guard.known.synced,
            limits=dict.fromkeys(switches, SWITCH_LIMIT_SECONDS),
        )

    shown = asyncio.create_task(_show(config, vitals, guard.metrics.text))
    try:
        await _until_told(guard)
    finally:
        shown.cancel()
        await asyncio.gather(shown, return_exceptions=True)
        await prober.close()
        await connection.http.close()


async def _show(config: GuardConfig, vitals: Callable[[], Vitals], metrics: Callable[[], bytes]) -> None:
    """Health and figures, from when their port is to be had: no stop waits for that."""
    while True:
        try:
            health = await serve(config.health_host, config.health_port, vitals, metrics)
            break
        except OSError as refused:
            log.error("no health, no figures", error=str(refused), again_in_seconds=PORT_SECONDS)
            await asyncio.sleep(PORT_SECONDS)
    try:
        await asyncio.Event().wait()
    finally:
        await health.cleanup()


async def _until_told(guard: Guard) -> None:
    """Work until SIGTERM or SIGINT."""
    work = asyncio.create_task(guard.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("told to end")


def _now() -> datetime:
    return datetime.now(UTC)
