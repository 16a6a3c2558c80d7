"""In which order a stop's requests are sent, and what waits for what."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from meditron_operator.core.guard.actions import plan
from meditron_operator.core.guard.seen import Seen
from meditron_operator.core.killswitch import Measures
from meditron_operator.errors import ConflictError, NotFoundError, UnavailableError
from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.guard.hands import ORDER_SECONDS, Hands
from tests.unit.guard.kit import pod, policy, workload

CUT = plan(Measures(gates=True, cut=True), Seen(pods=(pod(),), workloads=(workload(),), policies=(policy(),)))


class Script(Cluster):
    """Notes what is sent, and answers as it is told."""

    def __init__(self, **slow: float) -> None:
        self.sent: list[str] = []
        self.slow = slow
        self.failure: Exception | None = None

    async def _request(self, method: str, path: str, **_: Any) -> dict[str, Any]:  # noqa: ARG002
        kind = path.rpartition("/")[2] if path.endswith(("/scale", "/status")) else path.split("/")[-2]
        self.sent.append(kind)
        await asyncio.sleep(self.slow.get(kind, 0))
        if self.failure is not None:
            raise self.failure
        return {}


def hands(cluster: Script) -> tuple[Hands, list[None]]:
    cluster._managed = {}
    failures: list[None] = []
    return Hands(cluster, lambda: datetime.now(UTC), lambda: failures.append(None)), failures


async def test_traffic_then_pods_then_replicas() -> None:
    cluster = Script()
    assert await hands(cluster)[0].carry_out(CUT, set()) == []
    assert cluster.sent == ["status", "networkpolicies", "pods", "scale"]


async def test_slow_answers_about_traffic_hold_up_neither_pods_nor_replicas() -> None:
    cluster = Script(status=30, networkpolicies=30)
    task = asyncio.create_task(hands(cluster)[0].carry_out(CUT, set()))
    async with asyncio.timeout(ORDER_SECONDS / 2):
        while "scale" not in cluster.sent:  # noqa: ASYNC110
            await asyncio.sleep(0)
    task.cancel()


async def test_a_pod_whose_end_is_not_answered_holds_the_replicas_up_for_a_moment_only() -> None:
    cluster = Script(pods=30)
    found, _ = hands(cluster)
    async with asyncio.timeout(5):
        assert await found.carry_out(CUT, set()) == []
    assert cluster.sent[-1] == "scale"
    found.drop()


@pytest.mark.parametrize(
    ("failure", "told", "remembered"),
    [
        (NotFoundError("gone"), 0, 4),  # which is what was asked for
        (ConflictError("another has its name"), 0, 0),
        (UnavailableError("503"), 4, 0),
    ],
)
async def test_what_failed_is_due_again(failure: Exception, told: int, remembered: int) -> None:
    cluster = Script()
    cluster.failure = failure
    found, failures = hands(cluster)
    done: set[Any] = set()
    errors = await found.carry_out(CUT, done)
    assert (len(errors), len(failures), len(done)) == (told, told, remembered)
