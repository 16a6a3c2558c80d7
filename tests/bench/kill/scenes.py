"""What is measured: from a person's PATCH to clients cut off and no replicas, in one situation after the other."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.kill.clocks import Moments
from tests.cluster.people import engage
from tests.cluster.support import Admin, deployment

Tell = Callable[[str], None]

WARD = 10
"""Deployments of a namespace: more than a hospital has in one."""
CREATORS = 8
PAUSE_SECONDS = 1.5
"""Between stops of an idle cluster."""
RHYTHM_SECONDS = 0.25
"""Between stops in a storm."""
LIMIT_SECONDS = 120.0

_SPAWN: Final = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Deployment:
    """One of many."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Series:
    """One situation: seconds from PATCH to what was seen, one for each stop."""

    who: str
    when: str
    zero: Sequence[float]
    cut: Sequence[float] = ()
    """Until the policy that lets clients in was gone; empty where nobody removes it."""


def percentile(seconds: Sequence[float], percent: int) -> float:
    """Nearest rank."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


class Bench:
    """A cluster with many deployments, and somebody who stops one after the other."""

    def __init__(self, kubeconfig: Path, zeros: Moments, cuts: Moments, tell: Tell) -> None:
        self._kubeconfig, self._admin = kubeconfig, Admin(kubeconfig)
        self._zeros, self._cuts, self._tell = zeros, cuts, tell

    def targets(self, prefix: str, count: int) -> list[Deployment]:
        """So many deployments that want a replica, once each has its StatefulSet."""
        found = self._named(prefix, count)
        _create(self._kubeconfig, found, replicas=1)
        self._await_made(found)
        return found

    def stops(self, who: str, when: str, targets: Sequence[Deployment], *, cuts: bool = True) -> Series:
        """Stop one after the other."""
        measured = []
        for target in targets:
            measured.append(self._stop(target, cuts))
            time.sleep(PAUSE_SECONDS)
        return self._series(who, when, measured)

    def storm(self, who: str, prefix: str, size: int, targets: Sequence[Deployment], *, cuts: bool = True) -> Series:
        """One stop after the other in a rhythm that waits for none of them, from the moment at which so many new
        deployments are being created until the last of them is made."""
        new = self._named(prefix, size)
        maker = _SPAWN.Process(target=_create, args=(self._kubeconfig, new, 0))
        maker.start()
        with ThreadPoolExecutor(len(targets)) as people:
            stops = []
            for target in targets:
                stops.append(people.submit(self._stop, target, cuts))
                if self._is_made(new[-1]):
                    break
                time.sleep(RHYTHM_SECONDS)
            measured = [stop.result() for stop in stops]
        maker.join()
        self._await_made(new)
        return self._series(who, f"while {size} new deployments are reconciled", measured)

    def _series(self, who: str, when: str, measured: Sequence[tuple[float, float | None]]) -> Series:
        series = Series(who, when, [zero for zero, _ in measured], [cut for _, cut in measured if cut is not None])
        told = f"{who}, {when}: at 0 after a median of {percentile(series.zero, 50) * 1000:.0f} ms"
        if series.cut:
            told += f", clients cut off after {percentile(series.cut, 50) * 1000:.0f} ms"
        self._tell(f"{told}, {len(measured)} stops")
        return series

    def _stop(self, target: Deployment, cuts: bool) -> tuple[float, float | None]:
        began = time.monotonic()
        engage(self._admin, target.namespace, target.name)
        zero = self._zeros.wait(target.name, LIMIT_SECONDS) - began
        return zero, self._cuts.wait(target.name, LIMIT_SECONDS) - began if cuts else None

    def _named(self, prefix: str, count: int) -> list[Deployment]:
        """In namespaces of their own."""
        found = [Deployment(f"{prefix}-{number // WARD}", f"{prefix}-{number}") for number in range(count)]
        for namespace in dict.fromkeys(each.namespace for each in found):
            self._admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        return found

    def _await_made(self, found: Sequence[Deployment]) -> None:
        for each in found:
            self._admin.wait(
                "StatefulSet", each.namespace, each.name, lambda body: body is not None, 10 * LIMIT_SECONDS
            )

    def _is_made(self, each: Deployment) -> bool:
        return self._admin.get("StatefulSet", each.namespace, each.name) is not None


def _create(kubeconfig: Path, found: Sequence[Deployment], replicas: int) -> None:
    """In a process of its own where somebody measures meanwhile."""
    admin = Admin(kubeconfig)

    def create(each: Deployment) -> None:
        admin.create(deployment(each.name, each.namespace, replicas=replicas))

    with ThreadPoolExecutor(CREATORS) as pool:
        for _ in pool.map(create, found):
            pass
