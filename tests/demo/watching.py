"""All objects of one namespace, kept up to date by watches, and the moments at which something became true."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Self

from kubernetes.watch import Watch

from tests.cluster.support import Admin
from tests.demo.rows import Manifest, State

Predicate = Callable[[State], bool]
Moment = Future[float]
"""Becomes the value of `time.monotonic()` at which the event arrived."""

_WATCH_SECONDS = 600  # longer than all of the demo's deadlines together
_END_LIMIT_SECONDS = 5.0


class WatchLostError(Exception):
    """The API server ended a watch: nothing that is waited for can be seen any more."""


class Watching:
    """Use it as a context manager: its threads end with it."""

    def __init__(self, admin: Admin, namespace: str, kinds: Sequence[str], on_change: Callable[[State], None]) -> None:
        self._admin, self._namespace, self._on_change = admin, namespace, on_change
        self._state: dict[tuple[str, str], Manifest] = {}
        self._expected: list[tuple[Predicate, Moment]] = []
        self._lost: WatchLostError | None = None
        self._closing = False
        self._lock = threading.Lock()
        self._watches = {kind: Watch() for kind in kinds}  # type: ignore[no-untyped-call]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for kind, watch in self._watches.items():
            resource = self._admin.resource(kind)
            version = self._list(kind, resource)
            thread = threading.Thread(target=self._follow, args=(kind, resource, version, watch), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        for watch in self._watches.values():
            watch.stop()  # type: ignore[no-untyped-call]
        for thread in self._threads:
            thread.join(_END_LIMIT_SECONDS)

    def state(self) -> State:
        """Everything as last seen."""
        with self._lock:
            return dict(self._state)

    def expect(self, predicate: Predicate) -> Moment:
        """When the predicate first holds. Ask before you act: then nothing that passes quickly is missed."""
        moment = Moment()
        with self._lock:
            if self._lost is not None:
                moment.set_exception(self._lost)
            elif predicate(self._state):
                moment.set_result(time.monotonic())
            else:
                self._expected.append((predicate, moment))
        return moment

    def _list(self, kind: str, resource: Any) -> str:
        found = resource.get(namespace=self._namespace).to_dict()
        for body in found["items"]:
            self._state[kind, body["metadata"]["name"]] = body
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, kind: str, resource: Any, version: str, watch: Watch) -> None:
        try:
            for event in resource.watch(
                namespace=self._namespace, resource_version=version, timeout=_WATCH_SECONDS, watcher=watch
            ):
                self._take(kind, event["type"], event["raw_object"], time.monotonic())
            problem = "the API server ended it"
        except Exception as error:  # whatever it is, those who wait have to be told
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        if not self._closing:
            self._lose(WatchLostError(f"the watch of {kind} broke off: {problem}"))

    def _take(self, kind: str, event: str, body: Manifest, now: float) -> None:
        key = (kind, body["metadata"]["name"])
        with self._lock:
            if event == "DELETED":
                self._state.pop(key, None)
            else:
                self._state[key] = body
            due = [expectation for expectation in self._expected if expectation[0](self._state)]
            for expectation in due:
                self._expected.remove(expectation)
                expectation[1].set_result(now)
            self._on_change(self._state)

    def _lose(self, lost: WatchLostError) -> None:
        with self._lock:
            self._lost = lost
            for _, moment in self._expected:
                moment.set_exception(lost)
            self._expected.clear()
