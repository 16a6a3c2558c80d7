"""What a client sees of a stop on a real node: its open stream, a new connection, and the engine's process.

The engine is the double, told to ignore SIGTERM; clients are pods; one kernel has one clock.
"""

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meditron_operator.names import DEPLOYMENT_LABEL
from tests.bench.kill.scenes import Tell, percentile
from tests.cluster.people import engage
from tests.cluster.support import Admin, Manifest
from tests.node.engine import (
    CLIENT,
    QUICK,
    address_of,
    engine_ward,
    inject,
    kill_pod,
    reader,
    served,
    wait_available,
    wait_end,
    wait_tokens,
    write_weights,
)
from tests.node.pods import PROBE, attempts, pod, wait_attempts
from tests.testbed import Testbed
from tests.testbed.helm import helm
from tests.testbed.install import NAMESPACE
from tests.testbed.node.incluster import CHART, install_operator, load_engine
from tests.testbed.node.options import NodeOptions
from tests.testbed.waiting import wait_for

CARDS = 16
BATCH = 8
"""Deployments that are made ready together."""
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
    admin.resource("Pod").delete(namespace=namespace, label_selector=f"{DEPLOYMENT_LABEL}={name}", body=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that was measured, in seconds, and what its p99 must not exceed."""

    plugin: str
    who: str
    what: str
    seconds: Sequence[float]
    goal: float | None = None

    @property
    def missed(self) -> bool:
        return self.goal is not None and percentile(self.seconds, 99) > self.goal


def measure(folder: Path, batches: int, tell: Tell, *, cilium: bool) -> list[Figure]:
    """All figures of one network plugin, on a testbed of its own."""
    plugin = "Cilium" if cilium else "bridge, which enforces no policy"
    options = NodeOptions(gpus=f"A100-80GB:{CARDS}", cilium=cilium)
    with Testbed.start(folder / "bed", nodes="", progress=tell, node=options) as bed:
        assert bed.node is not None
        admin = Admin(bed.kubeconfig)
        install_operator(bed, tell)
        guarded = (
            "upgrade",
            "meditron-operator",
            str(CHART),
            "--reuse-values",
            "--wait",
            "--set",
            "guard.enabled=true",
        )
        helm(bed, *guarded)
        engine, probe = load_engine(bed, tell), bed.node.load(PROBE.build(folder, tell))
        weights = write_weights(folder)
        seen = []
        for number in range(batches):
            with engine_ward(admin, f"stops-{number}", weights) as name:
                seen += _stops(Ward(bed, admin, name, engine, probe), by_annotation)
            tell(f"{plugin}: {len(seen)} stops by the annotation")
        with engine_ward(admin, "replicas", weights) as name:
            many = _end_of_replicas(admin, name, engine)
        tell(f"{plugin}: {BATCH} replicas gone after {many:.1f} s")
        with engine_ward(admin, "alone", weights) as name:
            ward = Ward(bed, admin, name, engine, probe)
            alone = _stops(ward, by_two_commands, before=lambda: _end_our_processes(admin))
        tell(f"{plugin}: {len(alone)} stops by two kubectl commands")
    what = f"{BATCH} replicas: no pod object"
    last = Figure(plugin=plugin, who="guard", what=what, seconds=[many], goal=5)
    return [*_figures(plugin, "guard", seen, cilium), last, *_figures(plugin, "two kubectl commands", alone, cilium)]


def _figures(plugin: str, who: str, seen: Sequence[Seen], cilium: bool) -> list[Figure]:
    guarded = who == "guard"
    stream = (0.6 if cilium else 2.5) if guarded else 3.0
    series = (
        ("last token of an open stream, at the client", [each.last_token for each in seen], stream),
        ("last new connection", [each.last_connection for each in seen], 0.05 if cilium and guarded else None),
        ("the engine's process gone", [each.process_gone for each in seen], 2.5 if guarded else None),
    )
    return [Figure(plugin=plugin, who=who, what=what, seconds=found, goal=goal) for what, found, goal in series]


def _stops(ward: Ward, by: Callable[[Admin, str, str], None], before: Callable[[], None] = lambda: None) -> list[Seen]:
    names = [f"stop-{number}" for number in range(BATCH)]
    ward.serve(names)
    before()
    return [ward.stop(name, by) for name in names]


def _end_of_replicas(admin: Admin, namespace: str, engine: str) -> float:
    """Seconds from the PATCH until no pod object is left."""
    admin.create(served("many", namespace, engine, env=_LONG, replicas=BATCH))
    wait_available(admin, namespace, "many", 120)
    began = time.monotonic()
    engage(admin, namespace, "many")
    wait_for("the end of all pods", lambda: not admin.list("Pod", namespace, DEPLOYMENT_LABEL), END_SECONDS)
    return time.monotonic() - began


def _end_our_processes(admin: Admin) -> None:
    """As if operator and guards had crashed for good."""
    for name in ("meditron-operator", "meditron-guard"):
        admin.patch("Deployment", NAMESPACE, name, {"spec": {"replicas": 0}})
    ours = "app.kubernetes.io/name=meditron-operator"
    wait_for("the end of our processes", lambda: not admin.list("Pod", NAMESPACE, ours), END_SECONDS)


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
