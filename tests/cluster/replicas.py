"""How many replicas served at every moment of a test, as the API server tells it afterwards."""

from dataclasses import dataclass
from typing import Any

from tests.cluster.support import Admin, Manifest

REPLAY_SECONDS = 1  # all that happened is sent at once; then nothing comes


@dataclass(frozen=True, slots=True)
class Serving:
    """The replicas of one deployment from a moment on."""

    admin: Admin
    namespace: str
    name: str
    before: dict[str, bool]
    version: str

    @property
    def lowest(self) -> int:
        """The least number of replicas that served at the same time, until now."""
        state = dict(self.before)
        lowest = sum(state.values())
        for event in self.admin.resource("Pod").watch(
            namespace=self.namespace,
            label_selector=f"meditron.ai/deployment={self.name}",
            resource_version=self.version,
            timeout=REPLAY_SECONDS,
        ):
            pod: Manifest = event["raw_object"]
            state[pod["metadata"]["name"]] = event["type"] != "DELETED" and serves(pod)
            lowest = min(lowest, sum(state.values()))
        return lowest


def watched(admin: Admin, namespace: str, name: str) -> Serving:
    """From now on."""
    found: Any = admin.resource("Pod").get(namespace=namespace, label_selector=f"meditron.ai/deployment={name}")
    pods = [dict(item.to_dict()) for item in found.items]
    before = {pod["metadata"]["name"]: serves(pod) for pod in pods}
    return Serving(admin, namespace, name, before, found.metadata.resourceVersion)


def serves(pod: Manifest) -> bool:
    """Whether clients are sent to it."""
    conditions = pod["status"].get("conditions", ())
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def uids(admin: Admin, namespace: str, name: str) -> dict[str, str]:
    """Which pods they are: another uid is another start."""
    pods = admin.list("Pod", namespace, f"meditron.ai/deployment={name}")
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}
