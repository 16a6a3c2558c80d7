"""Pauses between tries: capped, jittered, growing with the failures in a row."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meditron_operator.errors import ApiError, UnavailableError

FIRST_DELAY_SECONDS: Final = 0.2
LONGEST_DELAY_SECONDS: Final = 60.0
LONGEST_OUTAGE_DELAY_SECONDS: Final = 10.0
"""An outage heals by itself, and nobody is told of its end: pauses that grew during it must not make it much longer."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Time and randomness, handed in by whoever starts the process."""

    clock: Callable[[], float]  # seconds, monotonic
    random: Callable[[], float]  # in [0, 1)


class Backoff:
    """The pauses between the tries of one thing.

    Each sort of failure is counted by itself: what an outage counted up says nothing about the first refusal, or the
    first expired version, that the server answers with once it is back.
    """

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._failures: Counter[type[BaseException]] = Counter()

    def after(self, error: BaseException, first: float = FIRST_DELAY_SECONDS) -> float:
        """Seconds to wait after one more failure: what the server asked for, or at most `first` after a first one."""
        if isinstance(error, ApiError) and error.retry_after:
            return error.retry_after
        self._failures[type(error)] += 1
        longest = LONGEST_OUTAGE_DELAY_SECONDS if isinstance(error, UnavailableError) else LONGEST_DELAY_SECONDS
        return backoff_seconds(self._failures[type(error)], self._chance.random(), first, longest)

    def succeeded(self) -> None:
        """The failures before this are no longer in a row."""
        self._failures.clear()


def backoff_seconds(failures: int, jitter: float, first: float, longest: float) -> float:
    """Delay before the next try after `failures` in a row; `jitter` is in [0, 1) and spreads by half."""
    delay = min(longest, first * 2.0 ** min(failures - 1, 30))
    return delay * (0.5 + jitter / 2)
