"""JSON logs on standard error: a constant event name plus keys, for Kopf's own records too."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor


def configure(level: str) -> None:
    """Send every record of this process through one JSON renderer. Call once, from the command line."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=["k8s_ref"]), _name_the_object],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=True, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Kopf tells at INFO that each event was handled: with our own line per pass that is noise.
    logging.getLogger("kopf.objects").setLevel(max(logging.WARNING, root.level))
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _name_the_object(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Kopf's records carry a reference to the object: show it with the same keys as ours."""
    ref = event.pop("k8s_ref", None)
    if isinstance(ref, dict):
        event.update({key: ref.get(key) for key in ("kind", "namespace", "name")})
    return event
