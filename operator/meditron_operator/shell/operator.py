"""The Kopf side: settings, login, and the one handler that tells of deployments."""

import asyncio
from typing import Any

import kopf
from kubernetes.client import Configuration

from meditron_operator import names
from meditron_operator.config import Config
from meditron_operator.errors import FatalError
from meditron_operator.shell.runtime import Runtime

# Kopf's watch of the deployments reconnects this often, and each reconnect is a sign of life.
WATCH_SECONDS = 60


def run(config: Config, configuration: Configuration) -> None:
    """Run until a signal. Raises FatalError when it can't start, or when a part of it ended that never should."""
    stop = asyncio.Event()
    try:
        kopf.run(
            registry=_registry(config, configuration, stop),
            settings=_settings(config),
            memo=kopf.Memo(),
            clusterwide=not config.watched_namespaces,
            namespaces=config.watched_namespaces,
            standalone=True,
            stop_flag=stop,
        )
    except Exception as failed:  # Kopf wraps what a handler raised in an error of its own, which it does not export
        raise FatalError(str(failed.__cause__ or failed)) from failed


def _settings(config: Config) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # no right to list namespaces and CRDs is needed
    settings.posting.enabled = False  # Events are posted by the reconciler, on transitions only
    settings.networking.request_timeout = config.request_timeout_seconds
    settings.watching.server_timeout = WATCH_SECONDS
    return settings


def _registry(config: Config, configuration: Configuration, stop: asyncio.Event) -> kopf.OperatorRegistry:
    """Handlers leave nothing on the objects: no annotation, no finalizer."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(id="startup", registry=registry, errors=kopf.ErrorsMode.PERMANENT)
    async def start(memo: kopf.Memo, **_: Any) -> None:
        runtime = Runtime(config, configuration)
        try:
            await runtime.start(stop)
        except OSError:
            await runtime.close()
            raise
        memo.runtime = runtime

    @kopf.on.login(id="login", registry=registry)
    async def login(memo: kopf.Memo, **_: Any) -> kopf.AiohttpSession:
        connection = memo.runtime.connect()
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=connection.http)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, id="seen", registry=registry)
    async def seen(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
        store = memo.runtime.deployments
        if event["type"] == "DELETED":
            store.drop(event["object"])
        else:
            store.put(event["object"])

    @kopf.on.cleanup(id="cleanup", registry=registry, errors=kopf.ErrorsMode.PERMANENT)
    async def close(memo: kopf.Memo, **_: Any) -> None:
        await memo.runtime.close()

    return registry
