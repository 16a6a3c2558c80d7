"""Carries out what a stop has to do: traffic first, and nothing waits for a slow answer."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from meditron_operator.core.guard.actions import (
    GRACE_SECONDS,
    Action,
    Annotate,
    CloseGate,
    Done,
    EndPod,
    Plan,
    RemovePolicy,
    ScaleToZero,
    closed,
    done_by,
)
from meditron_operator.core.guard.course import rfc3339
from meditron_operator.errors import ApiError, ConflictError, NotFoundError
from meditron_operator.shell.cluster import NETWORK_POLICIES, PODS, SCALED_OBJECTS, Cluster

ORDER_SECONDS: Final = 0.1  # that the end of the pods has before their StatefulSet is at 0
PATIENCE_SECONDS: Final = 1.0  # for answers; later ones are heard, but nobody waits for them

log = structlog.get_logger(__name__)


class Hands:
    """Sends the requests of a plan."""

    def __init__(self, cluster: Cluster, now: Callable[[], datetime], failed: Callable[[], None]) -> None:
        self._cluster = cluster
        self._now = now
        self._failed = failed
        self._tasks: set[asyncio.Task[ApiError | None]] = set()

    async def carry_out(self, plan: Plan, done: set[Done]) -> list[ApiError]:
        """Send all of it; the errors that were answered so far. `done` holds what was sent and has not failed."""
        traffic = [self._send(action, done) for action in plan.traffic]
        if traffic:
            await asyncio.sleep(0)  # they are on their way before the rest is
        ends = [self._send(action, done) for action in plan.rest if isinstance(action, EndPod)]
        if ends:
            await asyncio.wait(ends, timeout=ORDER_SECONDS)
        rest = [self._send(action, done) for action in plan.rest if not isinstance(action, EndPod)]
        tasks = [*traffic, *ends, *rest]
        if not tasks:
            return []
        answered, _ = await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
        return [error for task in answered if not task.cancelled() and (error := task.result()) is not None]

    def drop(self) -> None:
        """Wait for no answer any more."""
        for task in self._tasks:
            task.cancel()

    def _send(self, action: Action, done: set[Done]) -> asyncio.Task[ApiError | None]:
        done.add(done_by(action))
        task = asyncio.create_task(self._take(action, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _take(self, action: Action, done: set[Done]) -> ApiError | None:
        try:
            await self._write(action)
        except NotFoundError:
            return None  # gone already, which is what was asked for
        except ApiError as error:
            done.discard(done_by(action))
            if isinstance(error, ConflictError):
                return None  # another object has its name by now: the next look shows it
            self._failed()
            log.warning("write failed", step=type(action).__name__, name=str(action.ref), error=str(error))
            return error
        return None

    async def _write(self, action: Action) -> None:
        cluster, ref = self._cluster, action.ref
        match action:
            case CloseGate(pod):
                await cluster.set_conditions(ref, pod.uid, closed(action, rfc3339(self._now())))
            case RemovePolicy(policy):
                await cluster.remove(NETWORK_POLICIES, ref, policy.uid)
            case ScaleToZero(workload):
                await cluster.scale(ref, workload.uid, 0)
            case EndPod(pod):
                await cluster.remove(PODS, ref, pod.uid, GRACE_SECONDS)
            case Annotate(scaler):
                await cluster.annotate(SCALED_OBJECTS, ref, {"uid": scaler.uid}, action.annotations)
