"""The running process: how it begins, and what it keeps of the deployments."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.client import Configuration

from meditron_operator.config import Config
from meditron_operator.errors import ConflictError, FatalError, RefusedError, UnavailableError
from meditron_operator.shell.backoff import FIRST_DELAY_SECONDS
from meditron_operator.shell.cluster import DEPLOYMENTS
from meditron_operator.shell.runtime import REFUSED_DELAY_SECONDS, Runtime
from tests.unit.apiserver import Answer, ApiServer, serving, thing
from tests.unit.eventually import DEADLINE_SECONDS, eventually

CONFIG = Config(operator_namespace="o", identity="me", health_host="127.0.0.1", health_port=0)
KEY = ("ns", "notes")


def wall() -> datetime:
    return datetime(2026, 2, 2, tzinfo=UTC)


def deployment(name: str, **annotations: str) -> dict[str, Any]:
    found = thing(name, 5)
    found["metadata"] |= {"uid": name, "annotations": annotations}
    return found


@asynccontextmanager
async def running(server: ApiServer, config: Config = CONFIG) -> AsyncIterator[Runtime]:
    async with serving(server) as url:
        configuration = Configuration()
        configuration.host = url
        runtime = Runtime(config, configuration, wall)
        await runtime.start(asyncio.Event())
        try:
            yield runtime
        finally:
            await runtime.close()


async def test_it_is_ready_once_every_kind_was_listed() -> None:
    """Also when nothing of a kind is there, or the first answer is none."""
    server = ApiServer(lists=deque([Answer(503), ([], 10)]))
    async with running(server) as runtime:
        await runtime.observer.synced()
        assert runtime._vitals().synced
        assert "meditrondeployments" in runtime._vitals().watches


@pytest.mark.parametrize(
    ("error", "annotations", "seconds"),
    [
        (UnavailableError("later"), {}, FIRST_DELAY_SECONDS),
        (RefusedError("quota"), {}, REFUSED_DELAY_SECONDS),
        (ConflictError("again"), {}, REFUSED_DELAY_SECONDS),
        (RefusedError("policy"), {"meditron.ai/kill-switch": "halt"}, FIRST_DELAY_SECONDS),
    ],
)
async def test_how_soon_a_second_try_comes(error: Any, annotations: dict[str, str], seconds: float) -> None:
    async with running(ApiServer(lists=deque([([], 10)]))) as runtime:
        runtime.observer.deployments.put(deployment("notes", **annotations))
        assert runtime._first_delay(KEY, error) == seconds


async def test_a_namespace_that_may_not_be_looked_at_costs_the_other_nothing() -> None:
    """Its Namespace was deleted, for instance, and the rights in it with it."""
    server = ApiServer(lists=deque([([], 10)]), forbidden={"/namespaces/gone/"})
    async with running(server, replace(CONFIG, watched_namespaces=("gone", "ns"))) as runtime:
        await runtime.observer.synced()
        await eventually(lambda: runtime.observer.knows("ns"))
        vitals = runtime._vitals()
        assert vitals.synced
        assert None not in vitals.watches.values()
        assert not runtime.observer.knows("gone")
        server.forbidden.clear()  # it is there again
        await eventually(lambda: runtime.observer.knows("gone"))


async def test_many_namespaces_have_their_streams_at_once() -> None:
    """Each holds a connection: with too few of them the last would wait for ever."""
    many = tuple(f"ward-{number}" for number in range(30))
    async with running(ApiServer(lists=deque([([], 10)])), replace(CONFIG, watched_namespaces=many)) as runtime:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await runtime.observer.synced()
        async for _ in runtime._cluster.pages(DEPLOYMENTS):
            break


async def test_without_the_crd_it_ends_and_says_so() -> None:
    """Its watch would ask for ever, and nobody hear why nothing happens."""
    server, stop = (
        ApiServer(lists=deque([Answer(404, b'{"message": "the server could not find it"}')])),
        asyncio.Event(),
    )
    async with serving(server) as url:
        configuration = Configuration()
        configuration.host = url
        runtime = Runtime(CONFIG, configuration, wall)
        await runtime.start(stop)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await stop.wait()
        with pytest.raises(FatalError, match=r"meditrondeployments.meditron.ai is not installed: kubectl apply"):
            await runtime.close()
