"""What a contender came to, and the median of several rounds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """So many deployments created at once. `_each`: of one deployment."""

    count: int
    wall_seconds: float
    """From the first creation to the last child of the last deployment."""
    median_seconds: float
    """From a deployment's creation to its own last child."""
    cpu_ms_each: float
    server_cpu_ms_each: float
    """The API server's."""
    requests_each: float
    writes_each: float
    """Events apart."""
    events_each: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The operator ends and starts again, with all deployments there and nothing to do."""

    writes: int
    seconds: float
    """From its start until it uses the processor no more."""
    cpu_seconds: float
    list_seconds: float
    """To list and parse the same objects, with one connection, one kind after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All of one contender."""

    bursts: tuple[Burst, ...]
    idle_mib: float
    full_mib: float
    """With the deployments of all bursts."""
    restart: Restart
    unrelated_writes: int
    """After a foreign annotation on each of some deployments."""
    trip_ms: float
    """Creating one child: the mean of a deployment's, one after the other."""
    single_ms: float
    """One deployment, from before its creation to its last child."""
    repair_ms: float | None
    """From before a Service is changed by hand until it is as before; None where nobody repairs it."""

    @property
    def count(self) -> int:
        return sum(burst.count for burst in self.bursts)

    @classmethod
    def median(cls, rounds: Sequence[Self]) -> Self:
        """Of each figure by itself."""
        found: Self = _median(rounds)
        return found


def _median(values: Sequence[Any]) -> Any:
    first = values[0]
    if is_dataclass(first) and not isinstance(first, type):
        return type(first)(**{each.name: _median([getattr(v, each.name) for v in values]) for each in fields(first)})
    if isinstance(first, tuple):
        return tuple(_median(each) for each in zip(*values, strict=True))
    return None if first is None else statistics.median(values)
