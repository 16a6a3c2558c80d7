"""What the routes share: the served model, its limits, and how a body is read and an error is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from tests.doubles.tgi import bodies, formats
from tests.doubles.tgi.commandline import VERSION
from tests.doubles.tgi.engine import Engine
from tests.doubles.tgi.errors import InferError
from tests.doubles.tgi.faultbox import FaultBox
from tests.doubles.tgi.infer import Infer
from tests.doubles.tgi.metrics import Metrics

FINGERPRINT: Final = f"{VERSION}-native"
_TOO_LARGE: Final = "Failed to buffer the request body: length limit exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One running server."""

    infer: Infer
    engine: Engine
    metrics: Metrics
    faults: FaultBox
    info: dict[str, Any]  # the body of /info
    full_text_by_default: bool
    has_chat_template: bool
    max_client_batch_size: int
    payload_limit: int
    compute_type: str
    keepalive_seconds: float
    wall: Callable[[], float]  # Unix time in seconds

    @property
    def model_id(self) -> str:
        return str(self.info["model_id"])

    def stamp(self, model: str | None) -> formats.Stamp:
        """Whatever a client calls the model is what it is told."""
        shown = self.model_id if model in {None, "tgi"} else model
        return formats.Stamp(created=int(self.wall()), model=str(shown), fingerprint=FINGERPRINT)


async def read(request: web.Request, service: Service, shape: bodies.Shape) -> dict[str, Any]:
    """The body as a value of `shape`; raises bodies.BodyError."""
    return bodies.parse(await read_bytes(request, service), request.headers.get("content-type", ""), shape)


async def read_bytes(request: web.Request, service: Service) -> bytes:
    """Raises bodies.BodyError."""
    bodies.check_type(request.headers.get("content-type", ""))
    if (request.content_length or 0) > service.payload_limit:
        raise bodies.BodyError(413, _TOO_LARGE)
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise bodies.BodyError(413, _TOO_LARGE) from None


def json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=formats.dump(body), status=status, content_type="application/json", headers=headers)


def failed(error: InferError) -> web.Response:
    return json(formats.error(error), error.status)


def refused(error: bodies.BodyError) -> web.Response:
    return web.Response(text=str(error), status=error.status)


def rejected(text: str, kind: str) -> web.Response:
    """A 422 that a route makes itself."""
    return json({"error": text, "error_type": kind}, 422)
