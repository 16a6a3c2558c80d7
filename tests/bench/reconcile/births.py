"""When a deployment has all of its children."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from kubernetes import client

from tests.bench.baselines import children
from tests.bench.kill.clocks import Moments
from tests.cluster.support import Admin

LIMIT_SECONDS: Final = 300.0


class Births:
    """Watches of one's own on each kind of child. Use it as a context manager."""

    def __init__(self, kubeconfig: Path, template: str) -> None:
        """`template` as `children.read` takes it."""
        api: Any = Admin(kubeconfig).api  # its own connections: a watch holds one
        core = client.CoreV1Api(api)
        self._template = template
        self._moments = {
            "StatefulSet": Moments("StatefulSet", client.AppsV1Api(api).list_stateful_set_for_all_namespaces, _made),
            "Service": Moments("Service", core.list_service_for_all_namespaces, _made),
            "ServiceAccount": Moments("ServiceAccount", core.list_service_account_for_all_namespaces, _made),
            "NetworkPolicy": Moments(
                "NetworkPolicy", client.NetworkingV1Api(api).list_network_policy_for_all_namespaces, _made
            ),
        }
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for each in self._moments.values():
            self._open.enter_context(each)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def manifests(self, namespace: str, name: str) -> list[children.Manifest]:
        """What is waited for."""
        return children.read(self._template, {"metadata": {"name": name, "namespace": namespace, "uid": ""}})

    def wait(self, name: str) -> float:
        """The value of `time.monotonic()` when the last child came; raises TimeoutError."""
        wanted = [(each["kind"], each["metadata"]["name"]) for each in self.manifests("any", name)]
        return max(self._moments[kind].wait(child, LIMIT_SECONDS) for kind, child in wanted)


def _made(event: Mapping[str, Any]) -> str | None:
    name: str = event["object"]["metadata"]["name"]
    return name if event["type"] == "ADDED" else None
