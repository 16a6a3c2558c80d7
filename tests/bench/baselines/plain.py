"""B0, the plain way: Kopf with its default settings, the synchronous client, look first and then create."""

import os
from pathlib import Path
from typing import Any

import kopf
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import NotFoundError

from meditron_operator import names
from tests.bench.baselines import children


def registry() -> kopf.OperatorRegistry:
    """The handlers."""
    found = kopf.OperatorRegistry()

    @kopf.on.startup(registry=found)
    def start(memo: kopf.Memo, **_: Any) -> None:
        config.load_kube_config()  # type: ignore[no-untyped-call]
        memo.text = Path(os.environ[children.VARIABLE]).read_text()
        memo.client = DynamicClient(client.ApiClient())  # type: ignore[no-untyped-call]

    @kopf.on.login(registry=found)
    def login(**given: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_via_client(**given)

    @kopf.on.create(names.GROUP, names.VERSION, names.PLURAL, registry=found)
    @kopf.on.update(names.GROUP, names.VERSION, names.PLURAL, registry=found)
    def made(body: kopf.Body, memo: kopf.Memo, patch: kopf.Patch, **_: Any) -> None:
        for manifest in children.read(memo.text, dict(body)):
            kind: Any = memo.client.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
            meta = manifest["metadata"]
            try:
                kind.get(name=meta["name"], namespace=meta["namespace"])
            except NotFoundError:
                kind.create(body=manifest, namespace=meta["namespace"])
        patch.status.update(children.status(body.metadata["generation"]))

    return found


if __name__ == "__main__":
    kopf.run(registry=registry(), clusterwide=True, standalone=True)
