"""Whose the lease is, and what is not written without it. On a real API server: tests/faults/test_lease.py."""

from collections import deque
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.client import Configuration

from meditron_operator.core.lease import Sight, created, returned, see, taken
from meditron_operator.errors import FencedError, UnavailableError
from meditron_operator.shell.cluster import PODS, Cluster
from meditron_operator.shell.session import connect
from tests.unit.apiserver import ApiServer, serving

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


def lease(holder: str | None, version: str = "7", **spec: Any) -> dict[str, Any]:
    held = {} if holder is None else {"holderIdentity": holder}
    return {"metadata": {"name": "l", "resourceVersion": version}, "spec": {"leaseDurationSeconds": 15, **held, **spec}}


@pytest.mark.parametrize(
    ("body", "age", "free"),
    [
        (lease("other"), 14.9, False),
        (lease("other"), 15.0, True),
        (lease("other", leaseDurationSeconds=60), 15.0, False),
        (lease("other", leaseDurationSeconds=60), 60.0, True),
        (lease("other", leaseDurationSeconds=None), 14.9, False),
        (lease("other", leaseDurationSeconds=0), 14.9, False),  # nonsense counts as the usual
        (lease("other", renewTime="1999-01-01T00:00:00.000000Z"), 0.0, False),  # its clock may be wrong
        (lease("me"), 0.0, True),
        (lease(""), 0.0, True),
        (lease(None), 0.0, True),
        ({"metadata": {"resourceVersion": "7"}}, 0.0, True),
    ],
)
def test_when_it_may_be_taken(body: dict[str, Any], age: float, free: bool) -> None:
    assert Sight(body, 100.0).is_free_for("me", 100.0 + age) is free


def test_it_runs_out_only_while_nobody_renews_it() -> None:
    first = see(lease("other", "7"), None, 100.0)
    assert see(lease("other", "7"), first, 114.0).since == 100.0
    assert see(lease("other", "8"), first, 114.0).since == 114.0


def test_to_take_it_is_a_transition_and_to_renew_it_is_none() -> None:
    new = created("meditron-system", "meditron-operator", "me", NOW)
    assert new["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-03-04T05:06:07.000089Z",
        "acquireTime": "2026-03-04T05:06:07.000089Z",
        "leaseTransitions": 0,
    }
    others = Sight(lease("other", leaseTransitions=4, acquireTime="then"), 0.0)
    mine = taken(others, "me", NOW)
    assert mine["metadata"] == others.body["metadata"]
    assert (mine["spec"]["leaseTransitions"], mine["spec"]["acquireTime"]) == (5, "2026-03-04T05:06:07.000089Z")
    renewed = taken(Sight(mine, 0.0), "me", NOW.replace(hour=6))
    assert renewed["spec"] == mine["spec"] | {"renewTime": "2026-03-04T06:06:07.000089Z"}
    assert returned(Sight(renewed, 0.0), NOW)["spec"]["holderIdentity"] == ""


async def test_without_it_nothing_is_written_and_everything_is_read() -> None:
    server, left = ApiServer(lists=deque([([], 9)])), 0.0
    async with serving(server) as url:
        configuration = Configuration()
        configuration.host = url
        connection = connect(configuration)
        try:
            cluster = Cluster(connection, 5.0, fence=lambda: left)
            with pytest.raises(FencedError, match="doesn't hold the lease"):
                await cluster.create_event({"metadata": {"name": "e", "namespace": "ward"}})
            assert await cluster.list(PODS) == ([], "9")
            left = 1.0
            await cluster.create_event({"metadata": {"name": "e", "namespace": "ward"}})
        finally:
            await connection.http.close()
    assert [asked["method"] for asked in server.asked] == ["GET", "POST"]
    assert issubclass(FencedError, UnavailableError)  # another try, later
