"""Where the operator can be killed: at each write of a clean run, on either side of it."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tests.faults.calls import Call, writes_in
from tests.faults.kinds import crash
from tests.faults.proxy import Rule


@dataclass(frozen=True, slots=True)
class Point:
    """A write, named by what it writes: requests that are sent at the same time come in any order."""

    write: str
    number: int
    """The how-manieth of that name."""
    committed: bool
    """Whether the server has done it by then."""

    def __str__(self) -> str:
        return f"{'after' if self.committed else 'before'} {self.write} ({self.number})"

    def rule(self, namespace: str, kill: Callable[[], None]) -> Rule:
        """What kills there, once."""
        return Rule(
            lambda call: call.namespace == namespace and written(call) == self.write,
            crash(kill, committed=self.committed),
            every=self.number,
            times=1,
        )


AT_ONCE: Final = Point("its begin", 1, committed=True)
"""For what the operator writes nothing about: as soon as it is asked for."""


def written(call: Call) -> str:
    """What a write is known by. An Event's name is a digest of versions, which no two runs share."""
    return f"{call.verb} {call.resource}" if call.resource == "events" else str(call)


def points(calls: Iterable[Call], namespace: str) -> list[Point]:
    """Both sides of every write to a namespace."""
    counted = Counter(written(call) for call in calls if writes_in(namespace)(call))
    return [
        Point(write, number, committed)
        for write, count in counted.items()
        for number in range(1, count + 1)
        for committed in (False, True)
    ]
