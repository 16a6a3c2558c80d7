"""Guards that run side by side and come back: one end, and no write that changes nothing."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import config
from kubernetes.client import Configuration

from meditron_operator import names
from meditron_operator.config import GuardConfig
from meditron_operator.core.killswitch.carrier import Carrier, Outcome
from meditron_operator.core.killswitch.records import Target
from meditron_operator.core.lease import created
from meditron_operator.errors import RefusedError, UnavailableError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.guard.prober import Prober
from meditron_operator.shell.guard.runtime import Guard
from meditron_operator.shell.guard.stopper import SECOND_ACTS_SECONDS
from meditron_operator.shell.session import Connection, connect
from tests.cluster.guard.told import (
    GUARD_USER,
    KIND,
    engaged,
    is_down,
    switch,
    switch_of,
    told_as,
    without,
    writes_of_guards,
)
from tests.cluster.people import engage, release, resume
from tests.cluster.support import Admin, Audit, deployment, touch
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

CHANCE = Chance(clock=time.monotonic, random=random.random)
CONFIG = GuardConfig(operator_namespace="meditron-system", identity="tested")


class Noted:
    """Records that are only noted."""

    def __init__(self) -> None:
        self.kept: list[Carrier] = []
        self.concluded: list[tuple[Carrier, Outcome]] = []
        self.fails = False
        self.changed: Callable[[Target], None] = lambda _: None

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def keep(self, carrier: Carrier, seen_at: str) -> str | None:  # noqa: ARG002
        if self.fails:
            raise RefusedError("no records today")
        self.kept.append(carrier)
        return f"kill-{carrier.name}" if names.KILL_SWITCH in carrier.annotations else None

    async def conclude(self, carrier: Carrier, outcome: Outcome) -> None:
        self.concluded.append((carrier, outcome))


def connection_of(bed: Testbed) -> Connection:
    """The guard's own account."""
    configuration = Configuration()
    config.load_kube_config(  # type: ignore[no-untyped-call]
        str(bed.directory / "meditron-guard.kubeconfig"), client_configuration=configuration
    )
    return connect(configuration)


class Idle(Prober):
    """As if engines ran on simulated nodes, and had nothing left to answer after so many looks."""

    def __init__(self, busy_looks: int) -> None:
        super().__init__()
        self.busy_looks = busy_looks

    async def is_idle(self, ip: str) -> bool:  # noqa: ARG002
        self.busy_looks -= 1
        return self.busy_looks < 0


@asynccontextmanager
async def guarding(bed: Testbed, records: Noted | None = None, prober: Prober | None = None) -> AsyncIterator[Guard]:
    """A guard in this process, which ends with the block as a killed one would."""
    connection, prober = connection_of(bed), prober or Prober()
    cluster = Cluster(connection, CONFIG.request_timeout_seconds, names.GUARD_NAME)
    guard = Guard(cluster, prober, CONFIG, records or Noted(), CHANCE)
    task = asyncio.create_task(guard.run())
    try:
        yield guard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await prober.close()
        await connection.http.close()


def serving(admin: Admin, namespace: str, *deployments: str) -> None:
    for name in deployments:
        admin.create(deployment(name, namespace, gpu={"type": "A100-80GB"}))
    for name in deployments:
        admin.wait_settled(namespace, name, "Ready")


@pytest.mark.guarantee("G8")
def test_two_guards_come_to_one_end_and_then_write_nothing(
    bed: Testbed, admin: Admin, audit: Audit, namespace: str
) -> None:
    bed.start_program("guard-2")
    try:
        serving(admin, namespace, "notes", "letters", "minutes")
        for name in ("notes", "letters", "minutes"):
            engage(admin, namespace, name)
        for name in ("notes", "letters", "minutes"):
            engaged(admin, namespace, name)
            admin.wait_settled(namespace, name, "Stopped")
            admin.wait(KIND, namespace, name, lambda body: "record" in switch_of(body))
        first = {name: switch(admin, namespace, name) for name in ("notes", "letters", "minutes")}
        with without(bed, "guard"):
            pass  # a start with everything proven
        mark, records = audit.mark(), len(admin.list("KillRecord", namespace))
        for name in first:
            touch(admin, namespace, name)
            engage(admin, namespace, name)
        serving(admin, namespace, "probe")
        engage(admin, namespace, "probe")
        engaged(admin, namespace, "probe")
        written = [each for each in writes_of_guards(audit, mark) if not each.name.startswith("probe")]
        # The slower guard's first proof may end only now: what it would tell is refused, since the other one told it.
        done = [each for each in written if each.code != 409]
        assert [each for each in done if not each.resource.startswith("killrecords")] == []
        assert len(admin.list("KillRecord", namespace)) == records + 1  # the probe's
        assert {name: switch(admin, namespace, name) for name in first} == first
    finally:
        bed.stop("guard-2")


def test_what_is_not_engaged_costs_nothing(bed: Testbed, admin: Admin, audit: Audit, namespace: str) -> None:
    mark = audit.mark()
    serving(admin, namespace, "notes")
    touch(admin, namespace, "notes")
    admin.wait_settled(namespace, "notes", "Ready")
    # A stop that another test left behind is proven anew each minute, in that test's namespace.
    here = {"", "meditron-system", namespace}
    seen = [request for request in audit.since(mark, GUARD_USER) if request.namespace in here]
    asked = {f"{request.verb} {request.resource}" for request in seen}
    polled = {f"{verb} {carrier}" for verb in ("list", "watch") for carrier in ("meditrondeployments", "namespaces")}
    lease = {"get leases", "update leases"}
    assert asked <= polled | lease | {"watch pods", "watch statefulsets", "watch networkpolicies", "get "}


@pytest.mark.guarantee("G3")
async def test_a_guard_that_goes_second_stops_what_the_first_one_does_not(
    bed: Testbed, admin: Admin, namespace: str
) -> None:
    """The other one has died just after it renewed its lease."""
    serving(admin, namespace, "notes")
    with without(bed, "operator", "guard"):
        admin.delete("Lease", "meditron-system", names.GUARD_NAME)
        admin.create(created("meditron-system", names.GUARD_NAME, "died", datetime.now(UTC)))
        async with guarding(bed) as guard:
            await until(lambda: guard.lease.is_anothers)
            await asyncio.to_thread(engage, admin, namespace, "notes")
            told = await asyncio.to_thread(engaged, admin, namespace, "notes")
    assert SECOND_ACTS_SECONDS <= told["secondsToStop"] < 5
    assert is_down(admin, namespace, "notes")


async def test_records_are_kept_and_concluded(bed: Testbed, admin: Admin, namespace: str) -> None:
    serving(admin, namespace, "notes")
    records = Noted()
    with without(bed, "operator", "guard"):
        async with guarding(bed, records=records):
            await asyncio.to_thread(engage, admin, namespace, "notes")
            await asyncio.to_thread(engaged, admin, namespace, "notes", record="kill-notes")
            await asyncio.to_thread(engage, admin, None, namespace, kind="Namespace")
            await until(lambda: namespace in {carrier.name for carrier, _ in records.concluded})
            await asyncio.to_thread(release, admin, None, namespace, kind="Namespace")
            await asyncio.to_thread(resume, admin, None, namespace, kind="Namespace")
            await until(lambda: "Resumed" in {outcome.state for _, outcome in records.concluded})
    outcomes = {(carrier.name, str(outcome.state)): outcome for carrier, outcome in records.concluded}
    assert outcomes["notes", "Engaged"].seconds_to_stop is not None
    assert outcomes[namespace, "Engaged"].deployments == 1
    assert {carrier.scope for carrier in records.kept if carrier.name == namespace} == {"namespace"}


async def test_a_failing_record_delays_no_stop(bed: Testbed, admin: Admin, namespace: str) -> None:
    serving(admin, namespace, "notes")
    records = Noted()
    records.fails = True
    with without(bed, "operator", "guard"):
        async with guarding(bed, records=records):
            await asyncio.to_thread(engage, admin, namespace, "notes")
            told = await asyncio.to_thread(engaged, admin, namespace, "notes")
    assert told["secondsToStop"] < 5
    assert records.concluded == []


async def test_a_drain_is_over_once_the_engines_are_idle_twice_in_a_row(
    bed: Testbed, admin: Admin, namespace: str
) -> None:
    admin.create(deployment("notes", namespace, shutdown={"graceSeconds": 600}))
    admin.wait_settled(namespace, "notes", "Ready")
    with without(bed, "operator", "guard"):
        async with guarding(bed, prober=Idle(busy_looks=1)):
            await asyncio.to_thread(engage, admin, namespace, "notes", "drain")
            waiting = await asyncio.to_thread(told_as, admin, namespace, "notes", "Engaging", mode="drain")
            assert waiting.get("trafficCutAt") is None
            told = await asyncio.to_thread(engaged, admin, namespace, "notes")
    assert 1 <= told["secondsToStop"] < 20
    assert is_down(admin, namespace, "notes")


class Blindfolded(Cluster):
    """It reads no namespace any more once somebody says so."""

    blind = False

    async def list(self, resource: Any, selector: str = "", **options: Any) -> Any:
        if self.blind and resource.plural == "namespaces":
            raise UnavailableError("no")
        return await super().list(resource, selector, **options)

    async def watch(self, resource: Any, *arguments: Any) -> Any:
        if self.blind and resource.plural == "namespaces":
            raise UnavailableError("no")
        async for found in super().watch(resource, *arguments):
            yield found


@pytest.mark.parametrize("after", [0.0, 2.0])
@pytest.mark.guarantee("G4")
async def test_it_fails_closed_where_asked_to(bed: Testbed, admin: Admin, namespace: str, after: float) -> None:
    serving(admin, namespace, "notes")
    connection, prober = connection_of(bed), Prober()
    cluster = Blindfolded(connection, CONFIG.request_timeout_seconds, names.GUARD_NAME)
    with without(bed, "operator", "guard"):
        settings = replace(CONFIG, fail_closed_after_seconds=after)
        guard = Guard(cluster, prober, settings, Noted(), CHANCE)
        task = asyncio.create_task(guard.run())
        await until(lambda: guard.known.synced)
        cluster.blind = True
        try:
            if after:
                told = await asyncio.to_thread(engaged, admin, namespace, "notes")
                assert (told["scope"], told["mode"]) == ("cluster", "halt")
                assert "could not read the kill switch" in told["reason"]
                assert is_down(admin, namespace, "notes")
                cluster.blind = False
                await asyncio.to_thread(told_as, admin, namespace, "notes", "Resumed")
            else:
                await until(lambda: (guard.known.switch_ages()["namespaces"] or 0) > 4, 20)
                assert switch(admin, namespace, "notes") == {}
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await prober.close()
            await connection.http.close()


async def until(ready: Any, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not ready():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
