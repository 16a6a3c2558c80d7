"""Who stops first: the guard.

Operator and guard each stop a deployment without the other. When both write at once they cost each other conflicts, and
the API server the time that the quicker one needs.
"""

from collections.abc import Callable
from typing import Final

from meditron_operator.shell.store import ObjectKey

GIVE_WAY_SECONDS: Final = 0.2  # the guard is done in a fraction of it; without a guard it is what a stop costs more


class GiveWay:
    """Remembers since when each deployment is kept off. `clock` gives seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[ObjectKey, float] = {}

    def left(self, key: ObjectKey, *, stopped: bool) -> float:
        """Seconds that the operator still has to wait; 0 for a deployment that nobody stops."""
        if not stopped:
            self._since.pop(key, None)
            return 0.0
        now = self._clock()
        return max(0.0, self._since.setdefault(key, now) + GIVE_WAY_SECONDS - now)
