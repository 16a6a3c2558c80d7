"""How long to wait after failures in a row."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.errors import (
    ApiError,
    ConflictError,
    FencedError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from meditron_operator.shell.backoff import (
    FIRST_DELAY_SECONDS,
    LONGEST_DELAY_SECONDS,
    LONGEST_OUTAGE_DELAY_SECONDS,
    Backoff,
    Chance,
)

AWAY = UnavailableError("no connection")
GONE = NotFoundError("too old resource version")
REFUSED = RefusedError("quota")
MISTAKE = ValueError("a mistake of ours")

JITTER = st.floats(0, 1, exclude_max=True)
FAILURES = st.lists(st.sampled_from([AWAY, FencedError("no lease"), GONE, REFUSED, ConflictError("409"), MISTAKE]))


def backoff(jitter: float = 0.0) -> Backoff:
    return Backoff(Chance(clock=lambda: 0.0, random=lambda: jitter))


def pauses(failures: Sequence[BaseException], jitter: float = 0.0) -> list[float]:
    one = backoff(jitter)
    return [one.after(failure) for failure in failures]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (AWAY, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        (FencedError("no lease"), [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        (REFUSED, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]),
        (MISTAKE, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_they_double_up_to_a_limit(failure: Exception, expected: list[float]) -> None:
    assert pauses([failure] * len(expected)) == pytest.approx(expected)


def test_a_first_pause_may_be_longer() -> None:
    one = backoff()
    assert [one.after(REFUSED, 2.0) for _ in range(3)] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("answer", [GONE, REFUSED, ConflictError("changed meanwhile")])
def test_a_long_outage_says_nothing_about_the_first_answer_after_it(answer: ApiError) -> None:
    assert pauses([*[AWAY] * 20, answer, answer])[-2:] == [0.1, 0.2]


def test_of_two_failures_in_turns_both_grow() -> None:
    assert pauses([AWAY, GONE] * 20)[-2:] == [5.0, 30.0]


def test_what_the_server_asks_for_is_done_and_does_not_count() -> None:
    assert pauses([UnavailableError("busy", retry_after=7.0)] * 20 + [AWAY]) == [7.0] * 20 + [0.1]


def test_a_success_forgets_what_was_before() -> None:
    one = backoff()
    for failure in (AWAY, AWAY, REFUSED, REFUSED):
        one.after(failure)
    one.succeeded()
    assert (one.after(AWAY), one.after(REFUSED)) == (0.1, 0.1)


@given(FAILURES, JITTER)
def test_never_zero_and_never_beyond_the_limit(failures: list[BaseException], jitter: float) -> None:
    for failure, pause in zip(failures, pauses(failures, jitter), strict=True):
        longest = LONGEST_OUTAGE_DELAY_SECONDS if isinstance(failure, UnavailableError) else LONGEST_DELAY_SECONDS
        assert FIRST_DELAY_SECONDS / 2 <= pause <= longest


@given(st.sampled_from([AWAY, REFUSED]), st.integers(1, 2000), JITTER, JITTER)
def test_they_grow_and_are_spread_by_half(failure: Exception, count: int, one: float, other: float) -> None:
    low, high = (pauses([failure] * count, jitter) for jitter in sorted((one, other)))
    assert all(earlier <= later for earlier, later in pairwise(low))
    assert all(
        less <= more <= 2 * least for less, more, least in zip(low, high, pauses([failure] * count), strict=True)
    )
