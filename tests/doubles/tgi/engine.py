"""The shards' loop: admits, waits as long as a forward pass would take, and hands out tokens (V3 backend.rs)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tests.doubles.tgi.errors import GenerationError, InferError
from tests.doubles.tgi.faultbox import FaultBox
from tests.doubles.tgi.metrics import Metrics
from tests.doubles.tgi.scheduler import Admitted, Entry, Scheduler, Step
from tests.doubles.tgi.settings import Setup
from tests.doubles.tgi.validation import Valid


class Generation:
    """The channel from the engine to one request. Nobody is slowed by a request that doesn't read."""

    def __init__(self, entry: Entry, queued: float) -> None:
        self.entry = entry
        self.queued = queued
        self.started = queued
        self._steps: list[Step] = []
        self._error: InferError | None = None
        self._over = False
        self._news = asyncio.Event()

    async def next(self) -> list[Step]:
        """All steps since the last call; empty when no more will come. Raises InferError."""
        await self._news.wait()
        self._news.clear()
        if self._steps:
            steps, self._steps = self._steps, []
            if self._error is not None or self._over:
                self._news.set()
            return steps
        if self._error is not None:
            raise self._error
        return []

    def drop(self) -> None:
        """Nobody reads any more; the engine finds out with the next token."""
        self.entry.dropped = True

    def put(self, step: Step) -> None:
        self._steps.append(step)
        if step.reason is not None:
            self._over = True
        self._news.set()

    def end(self) -> None:
        self._over = True
        self._news.set()

    def fail(self, error: InferError) -> None:
        self._error = error
        self._news.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an engine is made of."""

    scheduler: Scheduler
    metrics: Metrics
    faults: FaultBox
    setup: Setup
    clock: Callable[[], float]  # monotonic seconds


class Engine:
    """One batch at a time. While a forward pass runs the shards answer nothing else, /health included."""

    def __init__(self, parts: Parts) -> None:
        self._scheduler = parts.scheduler
        self._metrics = parts.metrics
        self._faults = parts.faults
        self._setup = parts.setup
        self._clock = parts.clock
        self._generations: dict[Entry, Generation] = {}
        self._work = asyncio.Event()
        self._device = asyncio.Lock()
        self._good = True

    def submit(self, valid: Valid) -> Generation:
        generation = Generation(Entry.of(valid), self._clock())
        self._generations[generation.entry] = generation
        self._scheduler.append(generation.entry)
        self._metrics.add("tgi_queue_size", 1)
        self._work.set()
        return generation

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._work.wait()
            async with self._device:
                await self._pass()

    async def healthy(self) -> bool:
        """A look at the device; after a failed pass, a prefill of one token on the reserved block."""
        await asyncio.sleep(self._faults.now.health_delay_seconds)
        async with self._device:
            await self._faults.until(lambda faults: not faults.hang)
            if not self._good:
                self._good = not self._faults.take_failure()
            return self._good

    async def _pass(self) -> None:
        scheduler = self._scheduler
        admitted = scheduler.admit()
        self._count_admitted(admitted)
        self._set_gauges()
        if not scheduler.batch:
            self._work.clear()  # what waits can't be admitted before something else is submitted
            return
        method = "prefill" if admitted.entries else "decode"
        began = self._clock()
        self._metrics.count("tgi_batch_inference_count", f'method="{method}"')
        await self._forward(admitted)
        if self._faults.take_failure():
            self._fail(method)
        else:
            self._deliver()
            self._count_pass(method, self._clock() - began)
        if not scheduler.batch:
            self._set_gauges()

    async def _forward(self, admitted: Admitted) -> None:
        faults = self._faults.now
        seconds = self._setup.token_seconds + faults.token_delay_seconds
        if admitted.entries:
            tokens = sum(entry.input_length for entry in admitted.entries)
            seconds += faults.prefill_delay_seconds + self._setup.prefill_seconds * tokens / 1000
        await asyncio.sleep(seconds)
        await self._faults.until(lambda now: not now.hang)

    def _deliver(self) -> None:
        steps, gone = self._scheduler.advance()
        for entry, step in steps:
            generation = self._generations[entry]
            if entry.generated == self._faults.now.incomplete_after_tokens:
                generation.end()
                generation.drop()
            else:
                generation.put(step)
            if step.reason is not None:
                del self._generations[entry]
        self._forget(gone)
        self._metrics.zero("tgi_request_skipped_tokens", len(steps))

    def _forget(self, dropped: list[Entry]) -> None:
        for entry in dropped:
            self._metrics.count("tgi_request_failure", 'err="dropped"')
            del self._generations[entry]

    def _fail(self, method: str) -> None:
        self._good = False
        self._metrics.count("tgi_batch_inference_failure", f'method="{method}"')
        for entry in self._scheduler.fail():
            self._metrics.count("tgi_request_failure", 'err="generation"')
            self._generations.pop(entry).fail(GenerationError(self._faults.now.failure_text))

    def _count_admitted(self, admitted: Admitted) -> None:
        self._forget(admitted.dropped)
        if admitted.entries:
            self._metrics.observe("tgi_batch_next_size", len(admitted.entries))
        if admitted.reason is not None:
            self._metrics.count("tgi_batch_concat", f'reason="{admitted.reason}"')
            self._metrics.observe("tgi_batch_concat_duration", 0.0001, 'method="decode"')
        for entry in admitted.entries:
            if entry.generated == 0:
                self._generations[entry].started = self._clock()

    def _set_gauges(self) -> None:
        self._metrics.gauge("tgi_queue_size", len(self._scheduler.queue))
        self._metrics.gauge("tgi_batch_current_size", len(self._scheduler.batch))
        self._metrics.gauge("tgi_batch_current_max_tokens", self._scheduler.batch_max_tokens)

    def _count_pass(self, method: str, seconds: float) -> None:
        label = f'method="{method}"'
        self._metrics.count("tgi_batch_inference_success", label)
        for name, value in (
            ("inference", seconds),
            ("forward", seconds),
            ("decode", 0.0002),
            ("filter", 0.0001),
        ):
            self._metrics.observe(f"tgi_batch_{name}_duration", value, label)
