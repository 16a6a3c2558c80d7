"""What a client sees of a stop on a real node: its open stream, a new connection, and the engine's process."""

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.kill.scenes import Series
from tests.cluster.people import engage
from tests.cluster.support import Admin, Manifest
from tests.node.engine import (
    CLIENT,
    QUICK,
    address_of,
    inject,
    kill_pod,
    reader,
    served,
    wait_available,
    wait_end,
    wait_tokens,
)
from tests.node.pods import attempts, pod, wait_attempts
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

TOKENS = 3_000
KNOCK_SECONDS = 60
END_SECONDS = 30.0
_LONG = {**QUICK, "DOUBLE_ANSWER_TOKENS": str(TOKENS)}


@dataclass(frozen=True, slots=True)
class Seen:
    """One stop: seconds after the moment before the PATCH was sent."""

    last_token: float
    last_connection: float
    process_gone: float


@dataclass(frozen=True, slots=True)
class Ward:
    """Where it happens: a namespace with weights, on a testbed with a real node."""

    bed: Testbed
    admin: Admin
    namespace: str
    engine: str
    probe: str

    def serve(self, names: Sequence[str]) -> None:
        """All of them Ready, each with an engine that ignores SIGTERM."""
        for name in names:
            self.admin.create(served(name, self.namespace, self.engine, env=_LONG))
        for name in names:
            wait_available(self.admin, self.namespace, name, 120)
            inject(self.bed, self.admin, self.namespace, f"{name}-0", ignore_sigterm=True)

    def stop(self, name: str, by: Callable[[Admin, str, str], None]) -> Seen:
        """Stop one while a client reads from it and another one knocks."""
        with self._visitors(name) as (named, knocker), _end_of(self._process(name)) as gone:
            began = time.time()
            by(self.admin, self.namespace, name)
            stream = wait_end(self.admin, self.namespace, named)
            ended = gone.wait(END_SECONDS)
            heard = [each["at"] for each in stream.tokens]
            knocks = attempts(self.admin, self.namespace, knocker)
        taken = [each.began for each in knocks if each.answered]
        return Seen(max(heard) - began, max(0.0, max(taken) - began), ended - began)

    @contextmanager
    def _visitors(self, name: str) -> Iterator[tuple[str, str]]:
        address, named, knocker = address_of(self.admin, self.namespace, name), f"{name}-reads", f"{name}-knocks"
        self.admin.create(reader(self.namespace, named, self.probe, address, tokens=TOKENS))
        self.admin.create(_knocker(self.namespace, knocker, self.probe, address))
        wait_tokens(self.admin, self.namespace, named, 20)
        wait_attempts(self.admin, self.namespace, knocker, "a connection", lambda seen: any(a.answered for a in seen))
        yield named, knocker
        for each in (named, knocker):
            kill_pod(self.admin, self.namespace, each)

    def _process(self, name: str) -> int:
        """The first process of the engine's container, as the machine numbers it."""
        body = self.admin.get("Pod", self.namespace, f"{name}-0")
        assert body is not None
        container = body["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        return wait_for(f"the process of {container}", lambda: _first_in(container), END_SECONDS)


def by_annotation(admin: Admin, namespace: str, name: str) -> None:
    """What a person does while everything works."""
    engage(admin, namespace, name)


def by_two_commands(admin: Admin, namespace: str, name: str) -> None:
    """What a person does while every process of ours is dead."""
    engage(admin, namespace, name)
    options = {"gracePeriodSeconds": 1, "propagationPolicy": "Background"}
    admin.resource("Pod").delete(namespace=namespace, label_selector=f"meditron.ai/deployment={name}", body=options)


def series(who: str, seen: Sequence[Seen]) -> list[Series]:
    """The three figures of each stop."""
    return [
        Series(who, "last token of an open stream, at the client", [each.last_token for each in seen]),
        Series(who, "last new connection", [each.last_connection for each in seen]),
        Series(who, "the engine's process gone", [each.process_gone for each in seen]),
    ]


def _knocker(namespace: str, name: str, image: str, address: str) -> Manifest:
    manifest = pod(namespace, name, image, "knock", address, "8080", str(KNOCK_SECONDS))
    manifest["metadata"]["labels"] = {"app": CLIENT}
    return manifest


def _first_in(container: str) -> int | None:
    found = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cgroup") if container in _text(path)]
    return min(found, default=None)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile
        return ""


class _End:
    """When a process ended, by the wall clock."""

    def __init__(self) -> None:
        self._moment: float | None = None
        self._over = threading.Event()

    def happened(self) -> None:
        self._moment = time.time()
        self._over.set()

    def wait(self, seconds: float) -> float:
        if not self._over.wait(seconds):
            raise TimeoutError(f"the engine's process lives on after {seconds:.0f} s")
        assert self._moment is not None
        return self._moment


@contextmanager
def _end_of(pid: int) -> Iterator[_End]:
    descriptor, end = os.pidfd_open(pid), _End()

    def watch() -> None:
        if select.select([descriptor], [], [], 2 * END_SECONDS)[0]:
            end.happened()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield end
    finally:
        thread.join()
        os.close(descriptor)
