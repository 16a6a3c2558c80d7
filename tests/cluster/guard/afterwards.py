"""What comes up although it was stopped: every pod of a namespace, from a tenth of a second after the stop on."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.cluster.people import DEPLOYMENT, engage
from tests.cluster.support import Admin, Manifest

AT_ONCE_SECONDS: Final = 0.1
_REPLAY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Afterwards:
    """Since then no pod may run that was not there when it was stopped."""

    namespace: str
    version: str
    before: frozenset[str]
    """The uids of those that were: they are about to end."""
    at_once: tuple[str, ...]
    """New ones that ran already."""

    def came_up(self, admin: Admin) -> list[str]:
        """The new pods that were seen Running at any time since: the API server tells of everything since a version."""
        return [*self.at_once, *_running(self._events(admin), self.before)]

    def _events(self, admin: Admin) -> Iterator[Manifest]:
        stream = admin.resource("Pod").watch(
            namespace=self.namespace, resource_version=self.version, timeout=_REPLAY_SECONDS
        )
        for event in stream:
            yield event["raw_object"]


def engage_and_mark(admin: Admin, namespace: str, name: str, kind: str = DEPLOYMENT) -> Afterwards:
    """Stop it, and take the time from a tenth of a second later."""
    before = frozenset(each["metadata"]["uid"] for each in admin.list("Pod", namespace))
    engage(admin, namespace if kind == DEPLOYMENT else None, name, kind=kind)
    time.sleep(AT_ONCE_SECONDS)
    found = admin.resource("Pod").get(namespace=namespace)
    pods = [dict(each.to_dict()) for each in found.items]
    return Afterwards(namespace, found.metadata.resourceVersion, before, tuple(_running(pods, before)))


def _running(pods: Iterator[Manifest] | list[Manifest], before: frozenset[str]) -> list[str]:
    return sorted(
        {
            f"{pod['metadata']['name']} {pod['metadata']['uid']}"
            for pod in pods
            if pod["metadata"]["uid"] not in before and pod.get("status", {}).get("phase") == "Running"
        }
    )
