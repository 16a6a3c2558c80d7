"""`python -m tests.bench.kill.baseline`: the plain way to build this, to compare with.

An ordinary Kopf operator with its default settings: one handler makes the children of a new deployment, another one
stops it when the kill annotation appears. Manifests, session and writes are this project's own, so that what differs
is only where the stop is handled.
"""

from typing import Any

import kopf

from meditron_operator import names
from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import Owner
from meditron_operator.errors import ConflictError
from meditron_operator.shell.cluster import STATEFULSETS, Cluster
from meditron_operator.shell.session import connect, load_configuration
from tests.testbed.install import NAMESPACE

_PATCH = {"Content-Type": "application/merge-patch+json"}


def registry() -> kopf.OperatorRegistry:
    """The handlers."""
    found = kopf.OperatorRegistry()

    @kopf.on.startup(registry=found)
    async def start(memo: kopf.Memo, **_: Any) -> None:
        memo.connection = connect(load_configuration())
        memo.cluster = Cluster(memo.connection, 30)

    @kopf.on.login(registry=found)
    async def login(**_: Any) -> kopf.AiohttpSession:
        connection = connect(load_configuration())
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=connection.http)

    @kopf.on.create(names.GROUP, names.VERSION, names.PLURAL, registry=found)
    async def made(body: kopf.Body, memo: kopf.Memo, **_: Any) -> None:
        metadata = body.metadata
        verdict = assess(metadata["name"], dict(body.spec), None)
        assert isinstance(verdict, Accepted)
        owner = Owner(name=metadata["name"], namespace=metadata["namespace"], uid=metadata["uid"])
        site = Site(operator_namespace=NAMESPACE, image=verdict.image, stopped=False)
        for manifest in desired(owner, verdict.sized, site):
            try:
                await memo.cluster.create(manifest)
            except ConflictError:
                continue

    @kopf.on.update(
        names.GROUP, names.VERSION, names.PLURAL, annotations={names.KILL_SWITCH: kopf.PRESENT}, registry=found
    )
    async def stop(body: kopf.Body, memo: kopf.Memo, **_: Any) -> None:
        path = memo.connection.server + STATEFULSETS.path(body.metadata["namespace"], body.metadata["name"])
        async with memo.connection.http.patch(path, data=b'{"spec":{"replicas":0}}', headers=_PATCH) as answer:
            answer.raise_for_status()

    @kopf.on.cleanup(registry=found)
    async def end(memo: kopf.Memo, **_: Any) -> None:
        await memo.connection.http.close()

    return found


if __name__ == "__main__":
    kopf.run(registry=registry(), clusterwide=True, standalone=True)
