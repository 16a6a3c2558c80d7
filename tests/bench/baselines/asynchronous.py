"""B1: Kopf, asynchronous, 16 connections, children by POST when a deployment is created."""

import asyncio
import os
from pathlib import Path
from typing import Any

import aiohttp
import kopf

from meditron_operator import names
from meditron_operator.shell.cluster import CHILDREN
from meditron_operator.shell.session import connect, load_configuration
from tests.bench.baselines import children

CONNECTIONS = 16
_CONFLICT = 409


def registry() -> kopf.OperatorRegistry:
    """The handlers."""
    found = kopf.OperatorRegistry()
    text = Path(os.environ[children.VARIABLE]).read_text()

    @kopf.on.startup(registry=found)
    async def start(memo: kopf.Memo, **_: Any) -> None:
        memo.connection = connect(load_configuration())
        memo.slots = asyncio.Semaphore(CONNECTIONS)

    @kopf.on.login(registry=found)
    async def login(**_: Any) -> kopf.AiohttpSession:
        connection = connect(load_configuration())
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=connection.http)

    @kopf.on.create(names.GROUP, names.VERSION, names.PLURAL, registry=found)
    async def made(body: kopf.Body, memo: kopf.Memo, patch: kopf.Patch, **_: Any) -> None:
        await asyncio.gather(*(_post(memo, each) for each in children.read(text, dict(body))))
        patch.status.update(children.status(body.metadata["generation"]))

    @kopf.on.cleanup(registry=found)
    async def end(memo: kopf.Memo, **_: Any) -> None:
        await memo.connection.http.close()

    return found


async def _post(memo: kopf.Memo, manifest: children.Manifest) -> None:
    url = memo.connection.server + CHILDREN[manifest["kind"]].path(manifest["metadata"]["namespace"])
    http: aiohttp.ClientSession = memo.connection.http
    async with memo.slots, http.post(url, json=manifest) as answer:
        if answer.status != _CONFLICT:
            answer.raise_for_status()


if __name__ == "__main__":
    kopf.run(registry=registry(), clusterwide=True, standalone=True)
