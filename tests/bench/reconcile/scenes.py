"""One contender after the other in a testbed of its own, through the same scenes."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes import client

from tests.bench.kill.clocks import Moments
from tests.bench.kill.scenes import WARD, Deployment, percentile
from tests.bench.reconcile.contenders import Contender, enter
from tests.bench.reconcile.processes import Process
from tests.cluster.support import Admin, Audit, Mark, deployment
from tests.testbed import Testbed

Tell = Callable[[str], None]

CREATORS: Final = 8
SINGLES: Final = 15
LIMIT_SECONDS: Final = 300.0
_READS: Final = frozenset({"get", "list", "watch"})
DRIFT: Final = {"metadata": {"labels": {"app.kubernetes.io/component": "changed-by-hand"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one contender came to."""

    name: str
    what: str
    count: int
    wall_seconds: float
    median_seconds: float
    """From a deployment's creation to its StatefulSet."""
    cpu_ms_each: float
    server_cpu_ms_each: float
    requests_each: float
    writes_each: float
    idle_mib: float
    full_mib: float
    restart_writes: int
    restart_seconds: float
    restart_cpu_seconds: float
    list_seconds: float
    """To read the same objects without doing anything."""
    single_trips: float
    """One deployment to its StatefulSet, in round trips of one creation."""
    drift_trips: float | None
    trip_ms: float


def measure(contender: Contender, count: int, tell: Tell) -> Figures:
    """All scenes of one contender."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Testbed.start(Path(folder) / "bed", nodes="L4:1:1", operator=True) as bed,
    ):
        enter(bed, contender, tell)
        return _Scenes(bed, contender, count, tell).run()


class _Scenes:
    def __init__(self, bed: Testbed, contender: Contender, count: int, tell: Tell) -> None:
        self._bed, self._contender, self._count, self._tell = bed, contender, count, tell
        self._admin, self._audit = Admin(bed.kubeconfig), Audit(bed.audit_log)
        self._born: dict[str, float] = {}

    def run(self) -> Figures:
        api = client.AppsV1Api(self._admin.api)
        with Moments("StatefulSet", api.list_stateful_set_for_all_namespaces, _made) as made:
            created = self._many(made)
            self._tell(f"{self._contender.name}: {self._count} in {created['wall_seconds']:.1f} s")
            restarted = self._restart()
            trip = self._trip()
            single = self._single(made)
            drift = self._drift() if self._contender.repairs else None
        return Figures(
            name=self._contender.name,
            what=self._contender.what,
            count=self._count,
            **created,
            **restarted,
            single_trips=single / trip,
            drift_trips=None if drift is None else drift / trip,
            trip_ms=trip * 1000,
        )

    def _many(self, made: Moments) -> dict[str, Any]:
        operator, server = self._process(self._contender.program), self._process("kube-apiserver")
        operator.wait_idle()
        wanted, idle_mib = self._named("many", self._count), operator.resident_mib
        mark, used, served, began = self._audit.mark(), operator.cpu_seconds, server.cpu_seconds, time.monotonic()
        with ThreadPoolExecutor(CREATORS) as pool:
            list(pool.map(self._create, wanted))
        moments = {each.name: made.wait(each.name, LIMIT_SECONDS) for each in wanted}
        operator.wait_idle()
        requests = self._requests(mark)
        return {
            "wall_seconds": max(moments.values()) - began,
            "median_seconds": percentile([moments[name] - self._born[name] for name in moments], 50),
            "cpu_ms_each": (operator.cpu_seconds - used) * 1000 / self._count,
            "server_cpu_ms_each": (server.cpu_seconds - served) * 1000 / self._count,
            "requests_each": len(requests) / self._count,
            "writes_each": sum(verb not in _READS for verb in requests) / self._count,
            "idle_mib": idle_mib,
            "full_mib": operator.resident_mib,
        }

    def _restart(self) -> dict[str, Any]:
        self._bed.stop(self._contender.program)
        listed = statistics.median(self._list_all() for _ in range(3))
        mark, began = self._audit.mark(), time.monotonic()
        self._bed.start_program(self._contender.program)
        process = self._process(self._contender.program)
        caught_up = process.wait_idle()
        return {
            "restart_writes": sum(verb not in _READS for verb in self._requests(mark)),
            "restart_seconds": caught_up - began,
            "restart_cpu_seconds": process.cpu_seconds,
            "list_seconds": listed,
        }

    def _list_all(self) -> float:
        began = time.monotonic()
        for kind in ("MeditronDeployment", "StatefulSet", "Service", "NetworkPolicy", "ServiceAccount"):
            path = self._admin.resource(kind).path(namespace=None)
            self._admin.api.call_api(path, "GET", auth_settings=["BearerToken"], response_type="object")
        return time.monotonic() - began

    def _trip(self) -> float:
        def once(number: int) -> float:
            began = time.monotonic()
            meta = {"name": f"trip-{number}", "namespace": "default"}
            self._admin.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
            return time.monotonic() - began

        return statistics.median(map(once, range(SINGLES)))

    def _single(self, made: Moments) -> float:
        found = []
        for each in self._named("single", SINGLES):
            self._create(each)
            found.append(made.wait(each.name, LIMIT_SECONDS) - self._born[each.name])
            time.sleep(1)
        return statistics.median(found)

    def _drift(self) -> float:
        return statistics.median(self._repair(f"many-{number}", "many-0") for number in range(WARD))

    def _repair(self, name: str, namespace: str) -> float:
        began = time.monotonic()
        changed = self._admin.patch("Service", namespace, name, DRIFT)
        assert changed["metadata"]["labels"] != {}
        self._admin.wait("Service", namespace, name, _is_repaired, LIMIT_SECONDS)
        return time.monotonic() - began

    def _named(self, prefix: str, count: int) -> list[Deployment]:
        found = [Deployment(f"{prefix}-{number // WARD}", f"{prefix}-{number}") for number in range(count)]
        for namespace in dict.fromkeys(each.namespace for each in found):
            self._admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        return found

    def _create(self, each: Deployment) -> None:
        self._born[each.name] = time.monotonic()
        self._admin.create(deployment(each.name, each.namespace, replicas=0))

    def _process(self, program: str) -> Process:
        pid = self._bed.status()[program].pid
        assert pid is not None
        return Process(pid)

    def _requests(self, mark: Mark) -> Sequence[str]:
        """The verbs of its requests, watches apart."""
        return [each.verb for each in self._audit.since(mark, self._contender.user) if each.verb != "watch"]


def _made(event: Mapping[str, Any]) -> str | None:
    name: str = event["object"]["metadata"]["name"]
    return name if event["type"] == "ADDED" else None


def _is_repaired(body: Mapping[str, Any] | None) -> bool:
    return body is not None and body["metadata"]["labels"]["app.kubernetes.io/component"] == "engine"
