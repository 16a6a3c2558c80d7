"""What is measured: from a person's PATCH to the StatefulSet at no replicas, in one situation after the other."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.bench.kill.clocks import Zeros
from tests.cluster.people import engage
from tests.cluster.support import Admin, deployment

NAMESPACE = "bench"
CREATORS = 8
LIMIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Series:
    """One situation: seconds from PATCH to zero, one for each stop."""

    who: str
    when: str
    seconds: Sequence[float]

    def percentile(self, percent: float) -> float:
        """Nearest rank, in seconds."""
        ordered = sorted(self.seconds)
        return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]


class Bench:
    """A cluster with many deployments, and somebody who stops one after the other."""

    def __init__(self, admin: Admin, zeros: Zeros, tell: Callable[[str], None]) -> None:
        self._admin, self._zeros, self._tell = admin, zeros, tell

    def targets(self, prefix: str, count: int) -> list[str]:
        """So many deployments that want a replica, once each has its StatefulSet."""
        found = [f"{prefix}-{number}" for number in range(count)]
        self._create(found, replicas=1)
        for name in found:
            self._admin.wait("StatefulSet", NAMESPACE, name, lambda body: body is not None, LIMIT_SECONDS)
        return found

    def stops(self, who: str, when: str, targets: Sequence[str]) -> Series:
        """Stop one after the other, each as soon as the one before is seen at 0."""
        series = Series(who, when, [self._stop(name) for name in targets])
        self._tell(f"{who}, {when}: median {series.percentile(50) * 1000:.0f} ms of {len(series.seconds)}")
        return series

    def storm(self, who: str, prefix: str, size: int, targets: Sequence[str]) -> Series:
        """The same while so many new deployments are being made and reconciled."""
        names = [f"{prefix}-{number}" for number in range(size)]
        maker = threading.Thread(target=self._create, args=(names, 0))
        maker.start()
        seconds = []
        for name in targets:
            seconds.append(self._stop(name))
            if self._settled(names):
                break
        maker.join()
        for name in names:
            self._admin.wait("StatefulSet", NAMESPACE, name, lambda body: body is not None, 10 * LIMIT_SECONDS)
        series = Series(who, f"while {size} new deployments are reconciled", seconds)
        self._tell(f"{who}, {series.when}: median {series.percentile(50) * 1000:.0f} ms of {len(seconds)}")
        return series

    def _stop(self, name: str) -> float:
        began = time.monotonic()
        engage(self._admin, NAMESPACE, name)
        return self._zeros.wait(name, LIMIT_SECONDS) - began

    def _settled(self, names: Sequence[str]) -> bool:
        return self._admin.get("StatefulSet", NAMESPACE, names[-1]) is not None

    def _create(self, found: Sequence[str], replicas: int) -> None:
        with ThreadPoolExecutor(CREATORS) as pool:
            for _ in pool.map(lambda name: self._admin.create(deployment(name, NAMESPACE, replicas=replicas)), found):
                pass
