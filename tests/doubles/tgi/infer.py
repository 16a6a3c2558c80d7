"""One request from its permit to its last token (R infer/mod.rs)."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tests.doubles.tgi.engine import Engine, Generation
from tests.doubles.tgi.errors import IncompleteError, InferError, OverloadedError
from tests.doubles.tgi.logs import INFER, SERVER, Log
from tests.doubles.tgi.metrics import Metrics
from tests.doubles.tgi.requests import Wanted
from tests.doubles.tgi.scheduler import Step
from tests.doubles.tgi.validation import Limits, Valid, check_best_of, check_stream, validate

T = TypeVar("T")


async def together(parts: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, or the first error; then, and when it is cancelled, the others are given up."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds of a monotonic clock."""

    began: float
    queued: float
    started: float
    ended: float
    tokens: int

    @property
    def total(self) -> float:
        return self.ended - self.began

    @property
    def validation(self) -> float:
        return self.queued - self.began

    @property
    def queue(self) -> float:
        return self.started - self.queued

    @property
    def inference(self) -> float:
        return self.ended - self.started

    @property
    def per_token(self) -> float:
        return self.inference / self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer. `text` holds no special tokens."""

    valid: Valid
    steps: tuple[Step, ...]
    text: str
    reason: str
    timings: Timings
    others: tuple["Answer", ...] = field(default=())

    @property
    def mean_logprob(self) -> float:
        return sum(step.token.logprob for step in self.steps) / len(self.steps)


@dataclass(slots=True)
class Permits:
    """--max-concurrent-requests: nobody waits for one."""

    free: int

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raises OverloadedError."""
        if self.free <= 0:
            raise OverloadedError
        self.free -= 1
        try:
            yield
        finally:
            self.free += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Infer:
    """What all routes that generate share."""

    engine: Engine
    permits: Permits
    limits: Limits
    metrics: Metrics
    log: Log
    clock: Callable[[], float]
    new_seed: Callable[[], int]

    async def generate(self, wanted: Wanted) -> Answer:
        """The whole answer; raises InferError."""
        began = self.clock()
        try:
            if (wanted.best_of or 1) > 1:
                answer = await self._best_of(wanted, wanted.best_of or 1)
            else:
                answer = await self._one(wanted)
        except InferError as error:
            self.tell(error)
            raise
        answer = replace(answer, timings=replace(answer.timings, began=began, ended=self.clock()))
        self.count_success(answer.timings)
        return answer

    async def stream(self, wanted: Wanted) -> AsyncGenerator[tuple[Generation, list[Step]], None]:
        """Steps as they come; raises InferError, also in the middle."""
        began = self.clock()
        try:
            check_stream(wanted)
            with self._open(wanted) as generation:
                while steps := await generation.next():
                    if steps[-1].reason is not None:
                        self.count_success(self._timings(generation, began))
                    yield generation, steps
                    if steps[-1].reason is not None:
                        return
                raise IncompleteError(stream=True)
        except InferError as error:
            self.tell(error)
            raise

    def tell(self, error: InferError) -> None:
        if error.label:
            self.metrics.count("tgi_request_failure", f'err="{error.label}"')
        text = "no permits available" if isinstance(error, OverloadedError) else str(error)
        self.log.router("ERROR", INFER, text.removeprefix("Input validation error: "))

    def count_success(self, timings: Timings) -> None:
        self.metrics.count("tgi_request_success")
        self.metrics.observe("tgi_request_duration", timings.total)
        self.metrics.observe("tgi_request_validation_duration", timings.validation)
        self.metrics.observe("tgi_request_queue_duration", timings.queue)
        self.metrics.observe("tgi_request_inference_duration", timings.inference)
        self.metrics.observe("tgi_request_mean_time_per_token_duration", timings.per_token)
        self.metrics.observe("tgi_request_generated_tokens", timings.tokens)
        self.log.router("INFO", SERVER, "Success", [f"generate{{{_told(timings)}}}"])

    async def _best_of(self, wanted: Wanted, best_of: int) -> Answer:
        check_best_of(best_of, self.limits)
        found = await together(self._one(wanted) for _ in range(best_of))
        best = max(found, key=lambda answer: answer.mean_logprob)
        return replace(best, others=tuple(answer for answer in found if answer is not best))

    async def _one(self, wanted: Wanted) -> Answer:
        began = self.clock()
        with self._open(wanted) as generation:
            steps: list[Step] = []
            while new := await generation.next():
                steps += new
                if steps[-1].reason is not None:
                    return Answer(
                        valid=generation.entry.valid,
                        steps=tuple(steps),
                        text=generation.entry.text,
                        reason=steps[-1].reason,
                        timings=self._timings(generation, began),
                    )
            raise IncompleteError(stream=False)

    @contextmanager
    def _open(self, wanted: Wanted) -> Iterator[Generation]:
        """Holds a permit; leaving it early drops the request, as a client that went away does."""
        with self.permits.held():
            valid = validate(wanted, self.limits, self.new_seed)
            self.metrics.observe("tgi_request_input_length", valid.input_length)
            self.metrics.observe("tgi_request_max_new_tokens", valid.chunk)
            generation = self.engine.submit(valid)
            try:
                yield generation
            finally:
                generation.drop()

    def _timings(self, generation: Generation, began: float) -> Timings:
        return Timings(
            began=began,
            queued=generation.queued,
            started=generation.started,
            ended=self.clock(),
            tokens=generation.entry.generated,
        )


def _told(timings: Timings) -> str:
    """Durations as Rust prints them; of the request itself nothing is logged here."""
    named = {
        "total_time": timings.total,
        "validation_time": timings.validation,
        "queue_time": timings.queue,
        "inference_time": timings.inference,
        "time_per_token": timings.per_token,
    }
    return " ".join(f'{name}="{seconds * 1000:.6f}ms"' for name, seconds in named.items())
