"""The queue, the KV cache's blocks and the batch (V3 queue.rs, block_allocator.rs, backend.rs): no time, no I/O.

The engine calls `admit` and `advance` in turn; both say what happened and what is to be counted.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from tests.doubles.tgi.model import Token
from tests.doubles.tgi.validation import GENERATION_LENGTH, Valid

RESERVED_BLOCKS: Final = 1  # block 0 is for health checks

LENGTH: Final = "length"
END_OF_SEQUENCE: Final = "eos_token"
STOP_SEQUENCE: Final = "stop_sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What the scheduler may use."""

    kv_tokens: int
    block_size: int
    max_batch_prefill_tokens: int
    max_batch_size: int | None
    max_waiting_tokens: int
    waiting_served_ratio: float
    prefill_chunking: bool

    @property
    def blocks(self) -> int:
        return self.kv_tokens // self.block_size


@dataclass(frozen=True, slots=True)
class Step:
    """One token of one request; `reason` is there with the last."""

    token: Token
    others: tuple[Token, ...]
    reason: str | None


@dataclass(slots=True, eq=False)
class Entry:
    """A request in the queue or in the batch. `dropped` is set by whoever waited for it and went away."""

    valid: Valid
    words: Iterator[tuple[Token, tuple[Token, ...]]]
    input_length: int
    chunk: int
    generated: int = 0
    left_in_chunk: int = 0
    text: str = ""
    blocks: int = 0
    dropped: bool = False

    @classmethod
    def of(cls, valid: Valid) -> "Entry":
        words = valid.voice.tokens(valid.top_n_tokens)
        return cls(valid, words, valid.input_length, valid.chunk)

    @property
    def reserved(self) -> int:
        return self.input_length + self.chunk - 1

    def next(self) -> Step:
        token, others = next(self.words)
        self.generated += 1
        self.left_in_chunk -= 1
        if not token.special:
            self.text += token.text
        return Step(token, others, self._reason(token))

    def _reason(self, token: Token) -> str | None:
        if token.special:
            return END_OF_SEQUENCE
        if any(self.text.endswith(stop) for stop in self.valid.stop if stop):
            return STOP_SEQUENCE
        return LENGTH if self.generated >= self.valid.max_new_tokens else None

    def requeue(self) -> None:
        """Its reservation is used up, its answer is not: what it said is now part of its input."""
        self.input_length += self.chunk
        self.chunk = min(GENERATION_LENGTH, self.valid.max_new_tokens - self.generated)


@dataclass(slots=True, kw_only=True)
class Admitted:
    """What came into the batch, what was dropped, and why the batch was extended (None: it was empty)."""

    entries: list[Entry] = field(default_factory=list)
    dropped: list[Entry] = field(default_factory=list)
    reason: str | None = None


@dataclass(slots=True)
class Scheduler:
    """All requests between their validation and their last token."""

    size: Size
    queue: deque[Entry] = field(default_factory=deque)
    batch: list[Entry] = field(default_factory=list)
    used_blocks: int = 0
    waited: int = 0  # decode steps since something was last admitted

    @property
    def free_blocks(self) -> int:
        return max(0, self.size.blocks - RESERVED_BLOCKS - self.used_blocks)

    @property
    def batch_max_tokens(self) -> int:
        return sum(entry.input_length + entry.chunk for entry in self.batch)

    def append(self, entry: Entry) -> None:
        self.queue.append(entry)

    def admit(self) -> Admitted:
        """Move from the queue's front to the batch what fits. V3 queue.rs, State::next_batch."""
        result = Admitted()
        running = bool(self.batch)
        least = self._least_waiting() if running else 0
        if len(self.queue) < max(least, 1):
            return result
        budget = self.size.kv_tokens - self.batch_max_tokens
        places = (self.size.max_batch_size or len(self.queue) + len(self.batch)) - len(self.batch)
        prefill = total = 0
        while self.queue and len(result.entries) < places:
            entry = self.queue[0]
            if entry.dropped:
                result.dropped.append(self.queue.popleft())
                continue
            prefill += entry.input_length
            total += entry.input_length + entry.chunk
            if self._over(prefill, total, budget, entry, first=not running and not result.entries):
                break
            self._take(self.queue.popleft())
            result.entries.append(entry)
        if result.entries:
            self.waited = 0
            result.reason = self._reason() if running else None
        self.batch += result.entries
        return result

    def advance(self) -> tuple[list[tuple[Entry, Step]], list[Entry]]:
        """One forward pass of the batch: a token for each, and who turned out to have gone away."""
        self.waited += 1
        steps, gone, stay = [], [], []
        for entry in self.batch:
            step = entry.next()
            if step.reason is None and entry.left_in_chunk == 0 and not self._can_go_on(entry):
                step = replace(step, reason=LENGTH)
            if entry.dropped:
                gone.append(entry)
                self._free(entry)
                continue
            steps.append((entry, step))
            if step.reason is not None:
                self._free(entry)
            elif entry.left_in_chunk == 0:
                self._free(entry)
                entry.requeue()
                self.queue.append(entry)
            else:
                stay.append(entry)
        self.batch = stay
        return steps, gone

    def fail(self) -> list[Entry]:
        """A forward pass failed: the whole batch is lost (V3 backend.rs, send_errors)."""
        lost, self.batch = self.batch, []
        for entry in lost:
            self._free(entry)
        return lost

    def _least_waiting(self) -> int:
        """Without prefill chunking, running requests are paused only for enough waiting ones."""
        if self.size.prefill_chunking or self.waited >= self.size.max_waiting_tokens:
            return 0
        return int(len(self.batch) * self.size.waiting_served_ratio)

    def _reason(self) -> str:
        if self.size.prefill_chunking:
            return "chunking"
        return "wait_exceeded" if self.waited >= self.size.max_waiting_tokens else "backpressure"

    def _over(self, prefill: int, total: int, budget: int, entry: Entry, *, first: bool) -> bool:
        # With chunking a prompt longer than one prefill is cut, so it must not wait for ever.
        too_long = prefill > self._prefill_budget and not (first and self.size.prefill_chunking)
        return too_long or total > budget or self._blocks(entry) > self.free_blocks

    @property
    def _prefill_budget(self) -> int:
        """A multiple of the block size."""
        blocks = -(-self.size.max_batch_prefill_tokens // self.size.block_size)
        return blocks * self.size.block_size

    def _can_go_on(self, entry: Entry) -> bool:
        """An answer that outgrew the whole cache would wait at the queue's front for ever: TGI's would."""
        length = entry.input_length + entry.chunk
        return length + min(GENERATION_LENGTH, entry.valid.max_new_tokens - entry.generated) <= self.size.kv_tokens

    def _blocks(self, entry: Entry) -> int:
        return -(-entry.reserved // self.size.block_size)

    def _take(self, entry: Entry) -> None:
        entry.blocks = self._blocks(entry)
        entry.left_in_chunk = entry.chunk
        self.used_blocks += entry.blocks

    def _free(self, entry: Entry) -> None:
        self.used_blocks -= entry.blocks
        entry.blocks = 0
