"""The guard's part of the cluster tests of records: its account, and registers that act as it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubernetes import config as kubeconfig
from kubernetes.client import Configuration

from meditron_operator import names
from meditron_operator.core.killswitch import Scope
from meditron_operator.core.killswitch.carrier import Carrier
from meditron_operator.core.killswitch.records import Record, in_order
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.register import Register
from meditron_operator.shell.session import connect
from tests.cluster.support import Admin, Manifest
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE

GUARD_USER = f"system:serviceaccount:{NAMESPACE}:{names.GUARD_NAME}"


def guards_account(bed: Testbed) -> Path:
    """A kubeconfig of the guard's service account, with the rights that the chart gives it."""
    meta = {"name": names.GUARD_NAME, "namespace": NAMESPACE}
    bed.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}])
    return bed.service_account_kubeconfig(NAMESPACE, names.GUARD_NAME)


@asynccontextmanager
async def guarding(account: Path, wrap: type[Cluster] = Cluster) -> AsyncIterator[Register]:
    """A register as a guard runs it."""
    configuration = Configuration()
    kubeconfig.load_kube_config(str(account), client_configuration=configuration)  # type: ignore[no-untyped-call]
    connection = connect(configuration)
    register = Register(wrap(connection, 10.0), Chance(time.monotonic, random.random))
    watching = asyncio.create_task(register.watch.run())
    try:
        async with asyncio.timeout(30):
            await register.watch.synced.wait()
        yield register
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await connection.http.close()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seen(body: Manifest, scope: Scope = Scope.DEPLOYMENT) -> Carrier:
    """A carrier as the guard's own watch shows it."""
    meta = body["metadata"]
    return Carrier(
        scope=scope,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta["uid"],
        annotations=meta.get("annotations") or {},
        admitted_at=None,
    )


def stored(admin: Admin, namespace: str) -> list[Record]:
    """The records of a namespace, in order."""
    return in_order(Record.of(body) for body in admin.list(names.RECORD_KIND, namespace))


def said(records: list[Record]) -> list[tuple[str, Any]]:
    """What was done to whom."""
    return [(record.action, record.text("target")) for record in records]
