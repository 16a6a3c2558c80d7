"""The running process: what it does when Kopf had to list the deployments anew."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import Configuration

from meditron_operator.config import Config
from meditron_operator.errors import FatalError
from meditron_operator.shell.cluster import DEPLOYMENTS
from meditron_operator.shell.runtime import Runtime
from tests.unit.apiserver import Answer, ApiServer, serving, thing
from tests.unit.eventually import DEADLINE_SECONDS, eventually

CONFIG = Config(operator_namespace="o", identity="me", health_host="127.0.0.1", health_port=0)


def deployment(name: str) -> dict[str, Any]:
    found = thing(name, 5)
    found["metadata"]["uid"] = name
    return found


@asynccontextmanager
async def running(server: ApiServer, config: Config = CONFIG) -> AsyncIterator[Runtime]:
    async with serving(server) as url:
        configuration = Configuration()
        configuration.host = url
        runtime = Runtime(config, configuration)
        await runtime.start(asyncio.Event())
        try:
            yield runtime
        finally:
            await runtime.close()


async def kopf_lists(runtime: Runtime, namespace: str = "") -> None:
    connection = runtime.connect()
    async with connection.http.get(connection.server + DEPLOYMENTS.path(namespace)) as answer:
        await answer.read()


def lists_of_deployments(server: ApiServer) -> int:
    return sum(asked["path"] == DEPLOYMENTS.path() and "watch" not in asked for asked in server.asked)


async def test_what_vanished_between_two_lists_of_kopf_is_forgotten() -> None:
    """Kopf tells of deletions only when it saw them happen."""
    server = ApiServer(lists=deque([([], 10)]))
    async with running(server) as runtime:
        await runtime.observer.synced()
        runtime.deployments.put(deployment("ghost"))
        await kopf_lists(runtime)
        assert runtime.deployments.all()  # the first list is the beginning, nothing can have been missed

        await kopf_lists(runtime)

        await eventually(lambda: not runtime.deployments.all())
        asked = lists_of_deployments(server)
        assert asked == 4  # ours at the start, Kopf's two and the one that found out
        await kopf_lists(runtime)
        await eventually(lambda: lists_of_deployments(server) == asked + 2)


async def test_a_namespace_that_may_not_be_looked_at_costs_the_other_nothing() -> None:
    """Its Namespace was deleted, for instance, and the rights in it with it."""
    server = ApiServer(lists=deque([([], 10)]), forbidden={"/namespaces/gone/"})
    async with running(server, replace(CONFIG, watched_namespaces=("gone", "ns"))) as runtime:
        await runtime.observer.synced()
        runtime.deployments.put(deployment("ghost"))
        await kopf_lists(runtime, "ns")
        assert runtime.deployments.all()
        vitals = runtime._vitals()
        assert vitals.synced
        assert None not in vitals.watches.values()

        await kopf_lists(runtime, "ns")

        await eventually(lambda: not runtime.deployments.all())


async def test_many_namespaces_have_their_streams_at_once() -> None:
    """Each holds a connection: with too few of them the last would wait for ever."""
    many = tuple(f"ward-{number}" for number in range(30))
    async with running(ApiServer(lists=deque([([], 10)])), replace(CONFIG, watched_namespaces=many)) as runtime:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await runtime.observer.synced()
        await kopf_lists(runtime, "ward-29")


async def test_a_list_that_fails_is_tried_again() -> None:
    server = ApiServer(lists=deque([([], 10)]))
    async with running(server) as runtime:
        await runtime.observer.synced()
        await kopf_lists(runtime)
        runtime.deployments.put(deployment("ghost"))
        server.lists = deque([([], 11), Answer(503, headers={"Retry-After": "1"}), ([], 12)])

        await kopf_lists(runtime)

        await eventually(lambda: not runtime.deployments.all())


async def test_without_the_crd_it_ends_and_says_so() -> None:
    """Kopf would look once and stay blind for ever."""
    server, stop = (
        ApiServer(lists=deque([Answer(404, b'{"message": "the server could not find it"}')])),
        asyncio.Event(),
    )
    async with serving(server) as url:
        configuration = Configuration()
        configuration.host = url
        runtime = Runtime(CONFIG, configuration)
        await runtime.start(stop)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await stop.wait()
        with pytest.raises(FatalError, match=r"meditrondeployments.meditron.ai is not installed: kubectl apply"):
            await runtime.close()
