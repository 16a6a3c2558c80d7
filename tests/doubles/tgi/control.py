"""The control port: faults while it runs. Never on the served port, and by default only on loopback."""

import json
from collections.abc import Callable
from dataclasses import asdict

from aiohttp import web

from tests.doubles.tgi.faultbox import FaultBox
from tests.doubles.tgi.settings import SettingError


async def serve(host: str, port: int, faults: FaultBox, state: Callable[[], dict[str, object]]) -> web.AppRunner:
    """GET /faults, POST /faults with the ones to change, DELETE /faults, and GET /state."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(asdict(faults.now))

    async def change(request: web.Request) -> web.Response:
        try:
            new = json.loads(await request.read())
            if not isinstance(new, dict):
                raise SettingError("an object of faults is needed")
            faults.change(new)
        except (ValueError, SettingError) as error:
            return web.Response(status=400, text=f"{error}\n")
        return web.json_response(asdict(faults.now))

    async def reset(_request: web.Request) -> web.Response:
        faults.reset()
        return web.json_response(asdict(faults.now))

    async def tell(_request: web.Request) -> web.Response:
        return web.json_response(state())

    app = web.Application()
    app.add_routes(
        [
            web.get("/faults", show),
            web.post("/faults", change),
            web.delete("/faults", reset),
            web.get("/state", tell),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
