"""Reads the head of the engines' logs, once for each start: how large did the KV cache really get?

Beside the reconciler with workers of its own, so that no kubelet that takes its time delays a pass or a stop. No line
is stored or logged: what engines write is about patients.
"""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from meditron_operator.core.engines.base import Launch, LogHead
from meditron_operator.core.live import Ref
from meditron_operator.core.measured import Reading
from meditron_operator.core.observed import Pod
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.metrics import Metrics
from meditron_operator.shell.store import ObjectKey
from meditron_operator.shell.workqueue import WorkQueue

WORKERS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of the engine in one pod."""

    deployment: ObjectKey
    pod: Ref
    uid: str
    restarts: int


class Meter:
    """`want` says what to measure, `found` has the answers; the deployment is woken when there is a new one."""

    def __init__(self, cluster: Cluster, wake: Callable[[ObjectKey], None], chance: Chance) -> None:
        self._cluster = cluster
        self._wake = wake
        self._wanted: dict[ObjectKey, dict[Start, Launch]] = {}
        self._found: dict[ObjectKey, dict[Start, Reading]] = {}
        self._queue = WorkQueue[Start](self._measure, chance, name="engine logs")

    async def run(self) -> None:
        """Measure until cancelled."""
        await self._queue.run(WORKERS)

    def found(self, key: ObjectKey) -> tuple[Reading, ...]:
        """The answers about one deployment that this process has got."""
        return tuple(self._found.get(key, {}).values())

    async def want(self, key: ObjectKey, pods: Iterable[Pod], known: Iterable[Reading], launch: Launch) -> None:
        """Have the ready ones of a deployment's pods measured, but for those whose reading is known; pods that are
        gone are given up."""
        pods, known = tuple(pods), (*known, *self.found(key))  # some were found while the pass was under way
        starts = {pod.uid: Start(deployment=key, pod=pod.ref, uid=pod.uid, restarts=pod.restarts) for pod in pods}
        missing = (pod for pod in pods if pod.serves and not any(reading.is_of(pod) for reading in known))
        before = self._wanted.get(key, {})
        self._wanted[key] = {starts[pod.uid]: launch for pod in missing}
        self._found[key] = {
            start: self._found[key][start] for start in self._found.get(key, {}).keys() & starts.values()
        }
        for start in self._wanted[key].keys() - before.keys():  # what waits for its next try goes on waiting
            await self._queue.wake(start)

    def forget(self, key: ObjectKey) -> None:
        """The deployment is gone, or nothing of it is to be measured."""
        self._wanted.pop(key, None)
        self._found.pop(key, None)

    async def _measure(self, start: Start) -> None:
        """Raises ApiError, for another try, when the log can't be had."""
        launch = self._wanted.get(start.deployment, {}).get(start)
        if launch is None:
            return
        tokens = await self._capacity(start.pod, launch)
        if self._wanted.get(start.deployment, {}).pop(start, None) is None:
            return  # it ended meanwhile
        reading = Reading(pod=start.pod.name, uid=start.uid, restarts=start.restarts, kv_capacity_tokens=tokens)
        self._found.setdefault(start.deployment, {})[start] = reading
        self._wake(start.deployment)

    async def _capacity(self, pod: Ref, launch: Launch) -> int | None:
        head = LogHead()
        async with aclosing(self._cluster.log_lines(pod, launch.container)) as lines:
            async for line in lines:
                head = launch.read_line(head, line)
                if head.complete:
                    break
        return head.kv_capacity_tokens


@dataclass(frozen=True, slots=True)
class Meters:
    """What is measured, and where it is told."""

    meter: Meter
    metrics: Metrics
