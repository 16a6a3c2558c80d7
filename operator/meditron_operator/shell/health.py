"""The endpoints for probes and Prometheus: is every watch alive, does work get done, and what was measured?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from meditron_operator.shell.metrics import CONTENT_TYPE

WATCH_LIMIT_SECONDS: Final = 180.0  # bookmarks come each minute; three missed ones are no accident
WORK_LIMIT_SECONDS: Final = 300.0  # several request time-outs with their retries


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Ages in seconds, None for never."""

    uptime: float
    watches: Mapping[str, float | None]
    last_success: float | None
    oldest_waiting: float | None
    waiting: int
    synced: bool
    limits: Mapping[str, float] = field(default_factory=dict)  # of watches that must be fresher than most
    lease: str | None = None  # what is waited for before anything may be written

    def complaints(self) -> list[str]:
        """What is wrong, one line each; empty when all is well."""
        found = [
            f"watch of {name}: nothing heard for {age:.0f} s"
            for name, heard in self.watches.items()
            if (age := self.uptime if heard is None else heard) > self.limits.get(name, WATCH_LIMIT_SECONDS)
        ]
        idle = self.uptime if self.last_success is None else self.last_success
        if (
            self.lease is None
            and self.oldest_waiting is not None
            and min(self.oldest_waiting, idle) > WORK_LIMIT_SECONDS
        ):
            found.append(f"{self.waiting} deployments wait, no pass succeeded for {idle:.0f} s")
        return found


async def serve(host: str, port: int, vitals: Callable[[], Vitals], metrics: Callable[[], bytes]) -> web.AppRunner:
    """Serve GET /healthz (alive) and /readyz (has seen the whole cluster once, and may write), each 200 or 503,
    and /metrics.

    The ages are in the body. The caller cleans the runner up. OSError when the port is not to be had.
    """

    async def readyz(_request: web.Request) -> web.Response:
        now = vitals()
        waits = {} if now.lease is None else {"waitsForLease": now.lease}
        return web.json_response({"synced": now.synced, **waits}, status=200 if now.synced and not waits else 503)

    async def healthz(_request: web.Request) -> web.Response:
        now = vitals()
        complaints = now.complaints()
        body = {
            "watchAgeSeconds": {name: _rounded(age) for name, age in now.watches.items()},
            "lastSuccessfulPassAgeSeconds": _rounded(now.last_success),
            "waiting": now.waiting,
            "complaints": complaints,
        }
        return web.json_response(body, status=503 if complaints else 200)

    async def scrape(_request: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", scrape)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


def _rounded(age: float | None) -> float | None:
    return None if age is None else round(age, 1)
