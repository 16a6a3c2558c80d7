"""The liveness endpoint: what counts as sick, and how it is told."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from meditron_operator.shell.health import Vitals, serve


def vitals(
    uptime: float = 1000.0,
    watches: Mapping[str, float | None] | None = None,
    success: float | None = 1.0,
    waiting: float | None = None,
    *,
    synced: bool = True,
    limits: Mapping[str, float] | None = None,
    lease: str | None = None,
) -> Vitals:
    return Vitals(
        uptime=uptime,
        watches={"pods": 1.0} if watches is None else watches,
        last_success=success,
        oldest_waiting=waiting,
        waiting=0 if waiting is None else 1,
        synced=synced,
        limits=limits or {},
        lease=lease,
    )


@pytest.mark.parametrize(
    ("found", "complaints"),
    [
        (vitals(), []),
        (vitals(watches={"pods": 180.0}), []),
        (vitals(watches={"pods": 181.0}), ["watch of pods: nothing heard for 181 s"]),
        (vitals(uptime=10, watches={"pods": None}), []),
        (vitals(uptime=181, watches={"pods": None}), ["watch of pods: nothing heard for 181 s"]),
        (vitals(watches={"a": 500.0, "b": 1.0, "c": 600.0}), ["watch of a", "watch of c"]),
        (vitals(watches={"pods": 31.0, "switch": 30.0}, limits={"switch": 30.0}), []),
        (vitals(watches={"pods": 31.0, "switch": 31.0}, limits={"switch": 30.0}), ["watch of switch"]),
        (vitals(success=9999.0), []),  # nothing to do is no illness
        (vitals(success=9999.0, waiting=299.0), []),  # it has only just become due
        (vitals(success=299.0, waiting=9999.0), []),  # slow, but it moves
        (vitals(success=301.0, waiting=301.0), ["1 deployments wait, no pass succeeded for 301 s"]),
        (vitals(success=301.0, waiting=301.0, lease="held by another"), []),  # to wait is no illness either
        (vitals(uptime=299, success=None, waiting=299.0), []),
        (vitals(uptime=301, success=None, waiting=301.0), ["no pass succeeded for 301 s"]),
    ],
)
def test_complaints(found: Vitals, complaints: list[str]) -> None:
    said = found.complaints()
    assert len(said) == len(complaints)
    assert all(words in line for words, line in zip(complaints, said, strict=True))


async def ask(path: str, found: Vitals) -> tuple[int, Any]:
    runner = await serve("127.0.0.1", 0, lambda: found, lambda: b"")
    try:
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.json()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("synced", [True, False])
async def test_readyz(*, synced: bool) -> None:
    """A process that has not seen the whole cluster yet is alive, but not ready."""
    assert await ask("/readyz", vitals(synced=synced)) == (200 if synced else 503, {"synced": synced})
    assert (await ask("/healthz", vitals(synced=synced)))[0] == 200


@pytest.mark.parametrize(("found", "status"), [(vitals(), 200), (vitals(watches={"pods": 999.0}), 503)])
async def test_healthz(found: Vitals, status: int) -> None:
    told, body = await ask("/healthz", found)
    assert told == status
    assert body["complaints"] == found.complaints()
    assert body["watchAgeSeconds"] == found.watches
    assert body["lastSuccessfulPassAgeSeconds"] == 1.0


async def test_metrics() -> None:
    runner = await serve("127.0.0.1", 0, vitals, lambda: b"meditron_x 1\n")
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            assert (answer.status, await answer.text()) == (200, "meditron_x 1\n")
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    finally:
        await runner.cleanup()
