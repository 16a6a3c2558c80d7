"""When something was seen in the cluster: watches of one's own, read as fast as they come."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

from kubernetes import client
from urllib3.exceptions import ProtocolError

from meditron_operator import names
from tests.cluster.support import Admin

Event = Mapping[str, Any]
List = Callable[..., Any]
Names = Callable[[Event], str | None]
"""Which deployment an event tells the moment of, None for an event that tells none."""

_END_SECONDS = 5.0


class Moments:
    """The first such event of each deployment. Use it as a context manager: its thread ends with it."""

    def __init__(self, what: str, list_all: List, of: Names) -> None:
        self._what, self._list, self._of = what, list_all, of
        self._seen: dict[str, float] = {}
        self._news = threading.Condition()
        self._answer: Any = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        found: Any = self._list(limit=1)
        self._answer = self._list(
            watch=True,
            resource_version=found.metadata.resource_version,
            label_selector=names.DEPLOYMENT_LABEL,
            _preload_content=False,
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.shutdown()  # a mere close would wait for the thread, which reads
        self._thread.join(_END_SECONDS)
        self._answer.close()

    def wait(self, name: str, limit_seconds: float) -> float:
        """The value of `time.monotonic()` when it came; raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: name in self._seen, limit_seconds):
                raise TimeoutError(f"{self._what} of {name} was not seen within {limit_seconds:.0f} s")
            return self._seen[name]

    def _follow(self) -> None:
        with suppress(ProtocolError):  # its end by `shutdown`; after any other `wait` fails
            for line in _lines(self._answer):
                self._take(json.loads(line), time.monotonic())

    def _take(self, event: Event, now: float) -> None:
        if (name := self._of(event)) is None:
            return
        with self._news:
            self._seen.setdefault(name, now)
            self._news.notify_all()


def zeros(admin: Admin) -> Moments:
    """When a StatefulSet is at no replicas."""
    return Moments("StatefulSet at 0", client.AppsV1Api(admin.api).list_stateful_set_for_all_namespaces, _at_zero)


def cuts(admin: Admin) -> Moments:
    """When the policy that lets clients in is gone."""
    api = client.NetworkingV1Api(admin.api)
    return Moments("end of the clients' policy", api.list_network_policy_for_all_namespaces, _cut)


def _at_zero(event: Event) -> str | None:
    body = event["object"]
    return body["metadata"]["name"] if body["spec"].get("replicas") == 0 else None


def _cut(event: Event) -> str | None:
    name: str = event["object"]["metadata"]["name"]
    return name.removesuffix("-allow") if event["type"] == "DELETED" and name.endswith("-allow") else None


def _lines(answer: Any) -> Any:
    rest = b""
    for chunk in answer.stream(amt=None, decode_content=False):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)
