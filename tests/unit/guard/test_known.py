"""A dead watch is noticed, and a poll beside it needs none."""

import asyncio
import time
from collections import deque
from typing import Any

import pytest

from meditron_operator.core.killswitch import Engaged, Scope
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.guard import known
from meditron_operator.shell.guard.known import Known
from tests.unit.apiserver import ApiServer, connected
from tests.unit.eventually import eventually
from tests.unit.guard.kit import meta

CHANCE = Chance(clock=time.monotonic, random=lambda: 0.0)
QUIET: Any = ([{"metadata": meta("notes")}], 10)
ENGAGED: Any = (
    [{"metadata": meta("notes", annotations={"meditron.ai/kill-switch": "halt"}) | {"resourceVersion": "20"}}],
    20,
)


async def test_the_poll_finds_what_a_silent_watch_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "POLL_SECONDS", 0.05)
    server = ApiServer(lists=deque([QUIET] * 5 + [ENGAGED]))
    async with connected(server) as (cluster, _):
        found, woken = Known(cluster, "meditron-system", CHANCE), list[Any]()
        found.wake = woken.append
        task = asyncio.create_task(found.run())
        try:
            await eventually(lambda: found.synced)
            key = ("ward", "notes")
            await eventually(lambda: (target := found.targets.get(key)) and found.off(target))
            assert key in woken
            polls = [asked for asked in server.asked if asked.get("resourceVersion") == "0"]
            assert {asked["path"].rpartition("/")[2] for asked in polls} == {"meditrondeployments", "namespaces"}
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_watches_of_the_switch_end_within_ten_seconds() -> None:
    server = ApiServer(lists=deque([QUIET]))
    async with connected(server) as (cluster, _):
        found = Known(cluster, "meditron-system", CHANCE)
        task = asyncio.create_task(found.run())
        try:
            await eventually(lambda: sum("watch" in asked for asked in server.asked) == 5)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    limits = {
        asked["path"].rpartition("/")[2]: asked.get("timeoutSeconds") for asked in server.asked if "watch" in asked
    }
    assert {kind for kind, limit in limits.items() if limit == "8"} == {"meditrondeployments", "namespaces"}
    assert {asked.get("labelSelector") for asked in server.asked if asked["path"].endswith("pods")} == {
        "meditron.ai/deployment"
    }


async def test_blind_for_too_long_everything_counts_as_engaged() -> None:
    moment = 0.0
    server = ApiServer(lists=deque([QUIET]))
    async with connected(server) as (cluster, _):
        found = Known(cluster, "meditron-system", Chance(clock=lambda: moment, random=lambda: 0.0))
        task = asyncio.create_task(found.run())
        try:
            await eventually(lambda: found.synced)
            target = found.targets.get(("ward", "notes"))
            assert target is not None
            for limit, age, off in ((0.0, 9999.0, False), (30.0, 30.0, False), (30.0, 31.0, True)):
                found.fail_closed_after, moment = limit, age
                assert found.is_blind is off
                said = found.off(target)
                assert isinstance(said, Engaged) is off
            assert said == Engaged(
                scope=Scope.CLUSTER, mode="halt", reason="the guard could not read the kill switch for 30 s"
            )
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
