"""Routes that need no key: health, /info, /v1/models, /metrics."""

from aiohttp import web

from tests.doubles.tgi.service import Service, json


class InfoRoutes:
    """Handlers of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, _request: web.Request) -> web.Response:
        """Waits for the forward pass that is under way, as the shards do."""
        if await self._service.engine.healthy():
            return web.Response()
        return json({"error": "unhealthy", "error_type": "healthcheck"}, 503)

    async def info(self, _request: web.Request) -> web.Response:
        return json(self._service.info)

    async def models(self, _request: web.Request) -> web.Response:
        name = self._service.model_id
        model = {"id": name, "object": "model", "created": 0, "owned_by": name}
        return json({"object": "list", "data": [model]})

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._service.metrics.text())
