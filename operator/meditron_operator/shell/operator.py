"""The Kopf side: it runs the process, from start to signal; what is watched and decided is the runtime's.

Kopf's own watch would end the process for a line that is no event, a 404 or an error inside a watch, and asks without
a pause while the API server answers 401. So it has no handler of a resource and no credentials: it asks the API server
for nothing.
"""

import asyncio
import gc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import kopf
from kubernetes.client import Configuration

from meditron_operator.config import Config
from meditron_operator.errors import FatalError
from meditron_operator.shell.runtime import Runtime

Wall = Callable[[], datetime]


def _utc() -> datetime:
    return datetime.now(UTC)


def run(config: Config, configuration: Configuration, wall: Wall = _utc) -> None:
    """Run until a signal. Raises FatalError when it can't start, or when a part of it ended that never should."""
    stop = asyncio.Event()
    gc.freeze()  # what is imported stays: else each search for garbage looks through all of it
    try:
        kopf.run(
            registry=_registry(config, configuration, wall, stop),
            settings=_settings(),
            memo=kopf.Memo(),
            clusterwide=True,
            standalone=True,
            stop_flag=stop,
        )
    except Exception as failed:  # Kopf wraps what a handler raised in an error of its own, which it does not export
        raise FatalError(str(failed.__cause__ or failed)) from failed


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # no right to list namespaces and CRDs is needed
    settings.posting.enabled = False  # Events are posted by the reconciler, on transitions only
    return settings


def _registry(config: Config, configuration: Configuration, wall: Wall, stop: asyncio.Event) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(id="startup", registry=registry, errors=kopf.ErrorsMode.PERMANENT)
    async def start(memo: kopf.Memo, **_: Any) -> None:
        runtime = Runtime(config, configuration, wall)
        try:
            await runtime.start(stop)
        except OSError:
            await runtime.close()
            raise
        memo.runtime = runtime

    @kopf.on.login(id="login", registry=registry)
    async def login(**_: Any) -> None:
        """Kopf looks for all kinds of the cluster once it has credentials, and ends the process when it can't."""
        await asyncio.Event().wait()

    @kopf.on.cleanup(id="cleanup", registry=registry, errors=kopf.ErrorsMode.PERMANENT)
    async def close(memo: kopf.Memo, **_: Any) -> None:
        await memo.runtime.close()

    return registry
