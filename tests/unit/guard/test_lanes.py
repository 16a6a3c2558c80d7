"""No stop waits for another, and none is left alone because it failed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from meditron_operator.errors import UnavailableError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.guard.lanes import Lanes
from meditron_operator.shell.guard.together import Together
from meditron_operator.shell.store import ObjectKey
from tests.unit.eventually import eventually

A, B = ("ward", "a"), ("ward", "b")


@asynccontextmanager
async def lanes(work: Callable[[ObjectKey], Awaitable[float | None]]) -> AsyncIterator[Lanes]:
    found = Lanes(work, Chance(clock=lambda: 0.0, random=lambda: 0.0), lambda: None)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_that_hangs_holds_up_no_other() -> None:
    seen: list[ObjectKey] = []

    async def work(key: ObjectKey) -> None:
        seen.append(key)
        if key == A:
            await asyncio.Event().wait()

    async with lanes(work) as found:
        found.wake(A)
        found.wake(B)
        await eventually(lambda: seen == [A, B])


async def test_woken_while_at_work_it_runs_once_more_and_never_twice_at_a_time() -> None:
    running, runs, most = 0, 0, 0
    go = asyncio.Event()

    async def work(_: ObjectKey) -> None:
        nonlocal running, runs, most
        running, runs = running + 1, runs + 1
        most = max(most, running)
        await go.wait()
        running -= 1

    async with lanes(work) as found:
        found.wake(A)
        await eventually(lambda: running == 1)
        for _ in range(5):
            found.wake(A)
        go.set()
        await eventually(lambda: runs == 2 and not running and not found._lanes)
        found.wake(A)
        await eventually(lambda: runs == 3)
        assert most == 1


@pytest.mark.parametrize(
    "failure", [UnavailableError("503"), ValueError("a mistake of ours"), UnavailableError("x", retry_after=0.01)]
)
async def test_what_fails_is_tried_again(failure: Exception) -> None:
    tries = Counter[ObjectKey]()

    async def work(key: ObjectKey) -> None:
        tries[key] += 1
        if tries[key] < 3:
            raise failure

    async with lanes(work) as found:
        found.wake(A)
        await eventually(lambda: tries[A] == 3)


async def test_woken_before_it_runs_nothing_is_lost_and_a_delay_is_kept() -> None:
    runs = 0

    async def work(_: ObjectKey) -> float | None:
        nonlocal runs
        runs += 1
        return 0.01 if runs < 3 else None

    found = Lanes(work, Chance(clock=lambda: 0.0, random=lambda: 0.0), lambda: None)
    found.wake(A)
    task = asyncio.create_task(found.run())
    await eventually(lambda: runs == 3)
    task.cancel()


async def test_many_share_an_answer_that_is_never_older_than_their_question() -> None:
    moment, asked = 0, 0
    go = asyncio.Event()

    async def ask(_: str) -> int:
        nonlocal asked
        asked, now = asked + 1, moment
        await go.wait()
        return now

    together = Together[str, int](ask)
    first = asyncio.create_task(together.get("ward"))
    await eventually(lambda: asked == 1)
    moment = 1
    later = [asyncio.create_task(together.get("ward")) for _ in range(50)]
    await asyncio.sleep(0)
    go.set()
    assert await first == 0
    assert await asyncio.gather(*later) == [1] * 50
    assert asked == 2
    assert (together._asked, together._next) == ({}, {})


async def test_an_error_is_everybodys_and_does_not_last() -> None:
    answers = iter([UnavailableError("503"), None])

    async def ask(_: str) -> str:
        if (failure := next(answers)) is not None:
            raise failure
        return "fine"

    together = Together[str, str](ask)
    both = await asyncio.gather(together.get("a"), together.get("a"), return_exceptions=True)
    assert [str(each) for each in both] == ["503", "503"]
    assert await together.get("a") == "fine"
