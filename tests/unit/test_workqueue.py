"""The work queue on a real event loop; its clock stands still unless a test moves it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from meditron_operator.errors import RefusedError, UnavailableError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.workqueue import WorkQueue
from tests.unit.eventually import DEADLINE_SECONDS, eventually


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Work:
    """Notes what is worked on; a key waits at its gate, if it has one."""

    done: list[str] = field(default_factory=list)
    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    answers: dict[str, Callable[[int], float | None]] = field(default_factory=dict)
    finished: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, key: str) -> float | None:
        self.running[key] += 1
        self.most[key] = max(self.most[key], self.running[key])
        self.most["any"] = max(self.most["any"], sum(self.running.values()))
        try:
            if key in self.gates:
                await self.gates[key].wait()
            await asyncio.sleep(0)
            self.done.append(key)
            answer = self.answers.get(key)
            return answer(self.done.count(key)) if answer else None
        finally:
            self.running[key] -= 1
            async with self.finished:
                self.finished.notify_all()

    async def until(self, ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS), self.finished:
            await self.finished.wait_for(ready)

    async def count(self, key: str, times: int) -> None:
        await self.until(lambda: self.done.count(key) >= times)


@asynccontextmanager
async def started(
    work: Callable[[str], Awaitable[float | None]],
    clock: Callable[[], float] | None = None,
    workers: int = 2,
    **options: Any,
) -> AsyncIterator[WorkQueue[str]]:
    queue = WorkQueue(work, Chance(clock=clock or Clock(), random=lambda: 0.0), **options)
    running = asyncio.create_task(queue.run(workers))
    try:
        yield queue
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_key_waits_at_most_once() -> None:
    work = Work()
    queue = WorkQueue(work, Chance(clock=Clock(), random=lambda: 0.0))
    for key in "aabaab":
        await queue.wake(key)
    assert len(queue) == 2
    running = asyncio.create_task(queue.run(1))
    await work.count("b", 1)
    running.cancel()
    assert work.done == ["a", "b"]


async def test_what_is_urgent_goes_first_also_when_it_waits_already() -> None:
    urgent: set[str] = {"u"}
    work = Work()
    queue = WorkQueue(work, Chance(clock=Clock(), random=lambda: 0.0), urgent.__contains__)
    for key in "abcu":
        await queue.wake(key)
    urgent.add("c")
    await queue.wake("c")
    assert len(queue) == 4
    running = asyncio.create_task(queue.run(1))
    await work.count("b", 1)
    running.cancel()
    assert work.done == ["c", "u", "a", "b"]


async def test_a_key_has_one_worker_at_a_time_and_runs_once_more() -> None:
    work = Work(gates={"a": asyncio.Event()})
    async with started(work, workers=4) as queue:
        await queue.wake("a")
        await eventually(lambda: work.running["a"])
        for _ in range(5):
            await queue.wake("a")
        await queue.wake("b")
        await work.count("b", 1)
        work.gates["a"].set()
        await work.count("a", 2)
        await queue.wake("c")
        await work.count("c", 1)
    assert work.done.count("a") == 2
    assert work.most["a"] == 1


async def test_keys_are_worked_on_side_by_side() -> None:
    gate = asyncio.Event()
    work = Work(gates=dict.fromkeys("abcd", gate))
    async with started(work, workers=3) as queue:
        for key in "abcd":
            await queue.wake(key)
        await eventually(lambda: sum(work.running.values()) == 3)
        gate.set()
        await work.until(lambda: len(work.done) == 4)
    assert work.most["any"] == 3


@pytest.mark.parametrize(
    "error", [UnavailableError("later"), RuntimeError("bug"), KeyError("x"), asyncio.CancelledError()]
)
async def test_a_poisoned_key_comes_back_and_holds_up_nobody(error: BaseException) -> None:
    work = Work()
    failures = 0

    async def fail(key: str) -> float | None:
        nonlocal failures
        if key == "poison":
            failures += 1
            raise error
        return await work(key)

    clock = Clock()
    async with started(fail, clock, workers=1) as queue:
        for number in range(50):
            await queue.wake("poison")
            await queue.wake(f"good-{number}")
            await work.count(f"good-{number}", 1)
    assert failures >= 50
    assert len(work.done) == 50


async def test_a_failure_is_tried_again_after_its_backoff() -> None:
    clock, tries, nudged = Clock(), asyncio.Queue[float](), asyncio.Queue[None]()

    async def fail(key: str) -> float | None:
        if key == "nudge":  # makes the queue look at the clock
            nudged.put_nowait(None)
            return None
        tries.put_nowait(clock.now)
        raise UnavailableError("later")

    async with started(fail, clock) as queue, asyncio.timeout(DEADLINE_SECONDS):
        await queue.wake("a")
        assert await tries.get() == 0.0
        for delay in (0.1, 0.2, 0.4):
            await eventually(lambda: queue._due)
            clock.now += delay * 0.9
            await queue.wake("nudge")
            await nudged.get()
            assert tries.empty()
            clock.now += delay * 0.2
            await queue.wake("nudge")
            assert await tries.get() == clock.now


async def test_the_server_says_when_to_come_back() -> None:
    tries = 0

    async def fail(_key: str) -> float | None:
        nonlocal tries
        tries += 1
        raise UnavailableError("busy", retry_after=30)

    clock = Clock()
    async with started(fail, clock) as queue:
        await queue.wake("a")
        await eventually(lambda: queue._due)
        assert queue._due == {"a": 30.0}
    assert tries == 1


async def test_some_failures_are_left_alone_for_longer() -> None:
    tried = 0

    async def fail(_key: str) -> float | None:
        nonlocal tried
        tried += 1
        raise RefusedError("quota")

    clock, delays = Clock(), []
    async with started(
        fail, clock, first_delay=lambda key, error: 1.0 if isinstance(error, RefusedError) else 9.0
    ) as queue:
        for number in range(1, 9):
            await queue.wake("a")
            await eventually(lambda: tried == number and queue._due)  # noqa: B023
            delays.append(queue._due["a"])
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


async def test_a_success_forgets_earlier_failures() -> None:
    outcomes = iter([True, True, True, False, True])
    done = asyncio.Queue[None]()

    async def sometimes(_key: str) -> float | None:
        done.put_nowait(None)
        if next(outcomes):
            raise UnavailableError("later")
        return None

    delays = []
    async with started(sometimes) as queue:
        for _ in range(5):
            await queue.wake("a")
            async with asyncio.timeout(DEADLINE_SECONDS):
                await done.get()
            await eventually(lambda: not queue._running)
            delays.append(queue._due.get("a"))
    assert delays == [0.1, 0.2, 0.4, None, 0.1]


async def test_a_planned_look_happens_when_it_is_due() -> None:
    clock = Clock()
    work = Work(answers={"a": lambda times: 600.0 if times < 3 else None})
    async with started(work, clock) as queue:
        await queue.wake("a")
        await work.count("a", 1)
        for times in (2, 3):
            clock.now += 599
            await queue.wake("b")
            await work.count("b", 2 * times - 3)
            assert work.done.count("a") == times - 1
            clock.now += 2
            await queue.wake("b")
            await work.count("a", times)
            await work.count("b", 2 * times - 2)
    assert work.done.count("a") == 3


async def test_a_planned_look_needs_no_wake() -> None:
    """With the real clock: the timer fires by itself."""
    work = Work(answers={"a": lambda times: 0.01 if times < 3 else None})
    async with started(work, asyncio.get_running_loop().time) as queue:
        await queue.wake("a")
        await work.count("a", 3)


async def test_a_wake_takes_the_place_of_a_planned_look() -> None:
    clock = Clock()
    work = Work(answers={"a": lambda times: 10.0 if times == 1 else None})
    async with started(work, clock) as queue:
        await queue.wake("a")
        await work.count("a", 1)
        await queue.wake("a")
        await work.count("a", 2)
        clock.now = 100
        await queue.wake("b")
        await work.count("b", 1)
        await queue.wake("b")
        await work.count("b", 2)
    assert work.done.count("a") == 2


async def test_health_sees_what_waits_and_when_work_succeeded() -> None:
    clock = Clock(now=5.0)
    work = Work(gates={"slow": asyncio.Event()})
    async with started(work, clock, workers=1) as queue:
        assert (queue.oldest_ready, queue.last_success) == (None, None)
        await queue.wake("slow")
        await eventually(lambda: work.running["slow"])
        await queue.wake("waiting")
        assert (queue.oldest_ready, len(queue)) == (5.0, 1)
        clock.now = 9.0
        work.gates["slow"].set()
        await work.count("waiting", 1)
        await eventually(lambda: not queue._running)
        assert (queue.oldest_ready, queue.last_success) == (None, 9.0)
