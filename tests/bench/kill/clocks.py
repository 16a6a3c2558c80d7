"""When a StatefulSet was seen at no replicas: a watch of its own, read as fast as it comes."""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

from kubernetes import client

from meditron_operator import names
from tests.cluster.support import Admin

_PATH = "/apis/apps/v1/statefulsets"
_END_SECONDS = 5.0


class Zeros:
    """Use it as a context manager: its thread ends with it."""

    def __init__(self, admin: Admin) -> None:
        self._api = client.AppsV1Api(admin.api)
        self._seen: dict[str, float] = {}
        self._news = threading.Condition()
        self._answer: Any = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        found: Any = self._api.list_stateful_set_for_all_namespaces(limit=1)
        self._answer = self._api.list_stateful_set_for_all_namespaces(
            watch=True,
            resource_version=found.metadata.resource_version,
            label_selector=names.DEPLOYMENT_LABEL,
            _preload_content=False,
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._thread.join(_END_SECONDS)

    def wait(self, name: str, limit_seconds: float) -> float:
        """The value of `time.monotonic()` when it came; raises TimeoutError."""
        with self._news:
            if not self._news.wait_for(lambda: name in self._seen, limit_seconds):
                raise TimeoutError(f"StatefulSet {name} was not at 0 within {limit_seconds:.0f} s")
            return self._seen[name]

    def _follow(self) -> None:
        try:
            for line in _lines(self._answer):
                self._take(json.loads(line)["object"], time.monotonic())
        except Exception:
            if self._answer.closed:
                return
            raise

    def _take(self, body: Mapping[str, Any], now: float) -> None:
        if body["spec"].get("replicas") != 0:
            return
        with self._news:
            self._seen.setdefault(body["metadata"]["name"], now)
            self._news.notify_all()


def _lines(answer: Any) -> Any:
    rest = b""
    for chunk in answer.stream(amt=None, decode_content=False):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)
