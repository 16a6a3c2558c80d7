"""The register before it knows anything: it says so, and asks for nothing."""

import asyncio
from collections import deque

import pytest

from meditron_operator.errors import UnavailableError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.register import Register
from tests.unit.apiserver import Answer, ApiServer, connected
from tests.unit.eventually import eventually
from tests.unit.records.kit import ENGAGED, NOON, carrier, outcome

CHANCE = Chance(lambda: 0.0, lambda: 0.0)


async def test_without_the_definition_a_stop_goes_on_and_its_record_is_tried_again() -> None:
    server = ApiServer(lists=deque([Answer(404, b"404 page not found")]))
    async with connected(server) as (cluster, _):
        register = Register(cluster, CHANCE)
        watching = asyncio.create_task(register.watch.run())
        await eventually(lambda: bool(server.asked))
        for work in (register.keep(carrier(ENGAGED), NOON), register.conclude(carrier(ENGAGED), outcome())):
            with pytest.raises(UnavailableError, match="have not been read yet"):
                await work
        watching.cancel()
    assert {asked["path"] for asked in server.asked} == {"/apis/meditron.ai/v1alpha1/killrecords"}


async def test_where_nothing_is_due_nothing_is_asked() -> None:
    server = ApiServer(lists=deque([([], 7)]))
    async with connected(server) as (cluster, _):
        register = Register(cluster, CHANCE)
        watching = asyncio.create_task(register.watch.run())
        async with asyncio.timeout(10):
            await register.watch.synced.wait()
        assert await register.keep(carrier({}), NOON) is None
        await register.conclude(carrier({}), outcome())
        watching.cancel()
    assert {asked["path"] for asked in server.asked} == {"/apis/meditron.ai/v1alpha1/killrecords"}
