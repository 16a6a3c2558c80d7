"""Laws of the queue and the cache, whatever comes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doubles.tgi.model import Voice
from tests.doubles.tgi.scheduler import RESERVED_BLOCKS, Entry, Scheduler, Size
from tests.doubles.tgi.validation import GENERATION_LENGTH, Valid


def valid(input_length: int, max_new_tokens: int) -> Valid:
    return Valid(
        input_length=input_length,
        chunk=min(max_new_tokens, GENERATION_LENGTH),
        max_new_tokens=max_new_tokens,
        stop=(),
        seed=None,
        top_n_tokens=0,
        voice=Voice(prompt=f"{input_length} {max_new_tokens}", length=50),
    )


requests = st.tuples(st.integers(1, 150), st.integers(1, 140)).map(lambda both: valid(*both))
sizes = st.builds(
    Size,
    kv_tokens=st.integers(320, 2000),
    block_size=st.sampled_from([1, 16]),
    max_batch_prefill_tokens=st.integers(150, 400),
    max_batch_size=st.none() | st.integers(1, 8),
    max_waiting_tokens=st.integers(0, 20),
    waiting_served_ratio=st.floats(0, 2),
    prefill_chunking=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(size=sizes, arriving=st.lists(st.tuples(st.integers(0, 30), requests, st.booleans()), max_size=25))
def test_everyone_is_served_in_turn_and_every_block_comes_back(
    size: Size, arriving: list[tuple[int, Valid, bool]]
) -> None:
    scheduler = Scheduler(size)
    entries: list[Entry] = []
    admitted: list[Entry] = []
    finished: set[int] = set()
    waiting = sorted(arriving, key=lambda one: one[0])
    for step in range(5000):
        while waiting and waiting[0][0] <= step:
            _, request, leaves = waiting.pop(0)
            entries.append(Entry.of(request))
            entries[-1].dropped = leaves
            scheduler.append(entries[-1])
        result = scheduler.admit()
        admitted += result.entries
        finished |= {id(entry) for entry in result.dropped}
        assert scheduler.used_blocks + RESERVED_BLOCKS <= size.blocks
        assert scheduler.batch_max_tokens <= size.kv_tokens
        assert len(scheduler.batch) <= (size.max_batch_size or len(entries))
        steps, gone = scheduler.advance()
        finished |= {id(entry) for entry in gone}
        for entry, token in steps:
            assert entry.generated <= entry.valid.max_new_tokens
            if token.reason is not None:
                finished.add(id(entry))
        if not waiting and not scheduler.queue and not scheduler.batch:
            break
    assert finished == {id(entry) for entry in entries}
    assert [entry for entry in entries if entry in admitted] == admitted  # first come, first served
    assert scheduler.used_blocks == 0


@given(request=requests)
def test_an_answer_is_the_same_each_time(request: Valid) -> None:
    once, again = ([token.text for token, _ in request.voice.tokens()] for _ in range(2))
    assert once == again
    assert len(once) == 50
