"""A second API server beside the testbed's, with few seats, and a crowd of clients that fills it."""

import asyncio
import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import aiohttp
import yaml
from kubernetes import config
from kubernetes.client import Configuration

from tests.cluster.support import Manifest
from tests.testbed import Testbed
from tests.testbed.commands import Program
from tests.testbed.layout import LOOPBACK, Layout, Ports

CONNECTIONS: Final = 64
SEATS: Final = 20
REFUSED_SECONDS: Final = 0.1  # until one that was refused comes again
_MERGE: Final = {"Content-Type": "application/merge-patch+json"}
_FLOW: Final = "flowcontrol.apiserver.k8s.io/v1"


def crowded(name: str, precedence: int, *namespaces: str) -> list[Manifest]:
    """One short queue for all service accounts of these namespaces, but for those that a FlowSchema of a lower
    precedence gives another one."""
    level = {
        "nominalConcurrencyShares": 1,
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": 5}},
    }
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "clusterScope": True, "namespaces": ["*"]}
    groups = [{"kind": "Group", "group": {"name": f"system:serviceaccounts:{each}"}} for each in namespaces]
    schema = {
        "priorityLevelConfiguration": {"name": name},
        "matchingPrecedence": precedence,
        "rules": [{"subjects": groups, "resourceRules": [everything]}],
    }
    return [
        {
            "apiVersion": _FLOW,
            "kind": "PriorityLevelConfiguration",
            "metadata": {"name": name},
            "spec": {"type": "Limited", "limited": level},
        },
        {"apiVersion": _FLOW, "kind": "FlowSchema", "metadata": {"name": name}, "spec": schema},
    ]


def small_audit_log(bed: Testbed) -> Path:
    """Of the second API server."""
    return bed.directory / "small-audit.log"


@contextmanager
def small_api_server(bed: Testbed) -> Iterator[str]:
    """As a second control-plane node: the same etcd, the same flags, fewer seats. Yields its address."""
    port = Ports.load(Layout(bed.directory)).proxy  # of a real node's program, which this testbed does not have
    pid = bed.status()["kube-apiserver"].pid
    flags = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    others = {
        "--secure-port": str(port),
        "--audit-log-path": str(small_audit_log(bed)),
    }
    argv = [f"{name}={others[name]}" if (name := flag.partition("=")[0]) in others else flag for flag in flags]
    argv += [f"--max-requests-inflight={SEATS}", f"--max-mutating-requests-inflight={SEATS // 2}"]
    url = f"https://{LOOPBACK}:{port}"
    bed.run(Program(name="small-apiserver", argv=tuple(argv), health=f"{url}/readyz"))
    try:
        yield url
    finally:
        bed.kill("small-apiserver")


def leads_to(kubeconfig: Path, url: str) -> Path:
    """A copy of a kubeconfig, beside it, for another server of the same cluster."""
    body = yaml.safe_load(kubeconfig.read_text())
    for entry in body["clusters"]:
        entry["cluster"]["server"] = url
    copy = kubeconfig.with_name(f"{kubeconfig.stem}.small.kubeconfig")
    copy.touch(0o600)
    copy.write_text(yaml.safe_dump(body))
    return copy


class Crowd:
    """Clients that change one object all the time, in a thread of their own, while it is entered."""

    def __init__(self, kubeconfig: Path, path: str) -> None:
        self.answers = Counter[int]()
        """How often each status code came."""
        self._configuration = Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=self._configuration)  # type: ignore[no-untyped-call]
        self._url = f"{self._configuration.host}{path}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask_all()), name="crowd")

    def __enter__(self) -> "Crowd":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _ask_all(self) -> None:
        trust = ssl.create_default_context(cafile=self._configuration.ssl_ca_cert)
        header = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=CONNECTIONS), headers={"Authorization": str(header)}
        ) as session:
            await asyncio.gather(*(self._ask(session) for _ in range(CONNECTIONS)))

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        while not self._over.is_set():
            change = {"metadata": {"annotations": {"at": str(self.answers.total())}}}
            async with session.patch(self._url, data=json.dumps(change), headers=_MERGE) as answer:
                await answer.read()
                self.answers[answer.status] += 1
            if answer.status == 429:
                await asyncio.sleep(REFUSED_SECONDS)
