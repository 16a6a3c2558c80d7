"""One contender in a testbed of its own, through all scenes."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from kubernetes import client

from tests.bench.baselines import children
from tests.bench.kill.clocks import Moments
from tests.bench.kill.scenes import WARD, Deployment, percentile
from tests.bench.reconcile.births import LIMIT_SECONDS, Births
from tests.bench.reconcile.contenders import Contender, enter
from tests.bench.reconcile.figures import Burst, Figures, Restart
from tests.bench.reconcile.processes import Process
from tests.cluster.support import Admin, Audit, Mark, Request, deployment
from tests.testbed import Testbed

Tell = Callable[[str], None]

CREATORS: Final = 8
SINGLES: Final = 15
REPAIRS: Final = 15
UNRELATED: Final = 50
PAUSE_SECONDS: Final = 0.5
_LABEL: Final = "app.kubernetes.io/component"
_RIGHT, _WRONG = "engine", "changed-by-hand"


def measure(contender: Contender, sizes: Sequence[int], tell: Tell) -> Figures:
    """All scenes: one burst of each size, one after the other, then the rest with all of these there."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Testbed.start(Path(folder) / "bed", nodes="L4:1:1", operator=True) as bed,
    ):
        template = children.write(Path(folder) / "children.json")
        enter(bed, contender, template, tell)
        with Births(bed.kubeconfig, template.read_text()) as births:
            return _Scenes(bed, contender, births, tell).run(sizes)


class _Scenes:
    def __init__(self, bed: Testbed, contender: Contender, births: Births, tell: Tell) -> None:
        self._bed, self._contender, self._births, self._teller = bed, contender, births, tell
        self._admin, self._audit = Admin(bed.kubeconfig), Audit(bed.audit_log)

    def run(self, sizes: Sequence[int]) -> Figures:
        self._operator.wait_idle()
        idle_mib = self._operator.resident_mib
        bursts = tuple(map(self._burst, sizes))
        full_mib = self._operator.resident_mib
        restart = self._restart()
        trip, single = self._trip(), self._single()
        repair = self._repair() if self._contender.repairs else None
        unrelated = self._unrelated(sizes[0])
        self._tell(f"one alone after {single * 1000:.0f} ms, a round trip takes {trip * 1000:.0f} ms")
        return Figures(
            bursts=bursts,
            idle_mib=idle_mib,
            full_mib=full_mib,
            restart=restart,
            unrelated_writes=unrelated,
            trip_ms=trip * 1000,
            single_ms=single * 1000,
            repair_ms=None if repair is None else repair * 1000,
        )

    def _tell(self, text: str) -> None:
        self._teller(f"{self._contender.name}: {text}")

    @property
    def _operator(self) -> Process:
        return self._process(self._contender.program)

    def _process(self, program: str) -> Process:
        pid = self._bed.status()[program].pid
        assert pid is not None
        return Process(pid)

    def _burst(self, size: int) -> Burst:
        operator, server = self._operator, self._process("kube-apiserver")
        wanted = self._named(f"of-{size}", size)
        operator.wait_idle()
        mark, used, served, began = self._audit.mark(), operator.cpu_seconds, server.cpu_seconds, time.monotonic()
        with ThreadPoolExecutor(CREATORS) as pool:
            born = list(pool.map(self._create, wanted))
        done = [self._births.wait(each.name) for each in wanted]
        operator.wait_idle()
        cpu, served = operator.cpu_seconds - used, server.cpu_seconds - served
        requests = self._requests(mark)
        writes = [each for each in requests if each.writes]
        events = sum(each.resource == "events" for each in writes)
        self._tell(f"{size} in {max(done) - began:.1f} s, {operator.resident_mib:.0f} MiB")
        return Burst(
            count=size,
            wall_seconds=max(done) - began,
            median_seconds=percentile([end - start for start, end in zip(born, done, strict=True)], 50),
            cpu_ms_each=cpu * 1000 / size,
            server_cpu_ms_each=served * 1000 / size,
            requests_each=len(requests) / size,
            writes_each=(len(writes) - events) / size,
            events_each=events / size,
        )

    def _restart(self) -> Restart:
        self._bed.stop(self._contender.program)
        listed = statistics.median(self._list_all() for _ in range(3))
        mark, began = self._audit.mark(), time.monotonic()
        self._bed.start_program(self._contender.program)
        caught_up, writes = self._operator.wait_idle(), self._writes(mark)
        self._tell(f"{writes} writes after a restart, caught up in {caught_up - began:.1f} s")
        return Restart(
            writes=writes,
            seconds=caught_up - began,
            cpu_seconds=self._operator.cpu_seconds,
            list_seconds=listed,
        )

    def _list_all(self) -> float:
        began = time.monotonic()
        for kind in ("MeditronDeployment", "StatefulSet", "Service", "NetworkPolicy", "ServiceAccount"):
            json.loads(self._admin.resource(kind).get(serialize=False).data)
        return time.monotonic() - began

    def _trip(self) -> float:
        """The mean of creating the children of one deployment, one after the other, by who measures and as nobody's."""

        def once(each: Deployment) -> float:
            manifests = self._births.manifests(each.namespace, each.name)
            for manifest in manifests:
                del manifest["metadata"]["ownerReferences"]
            began = time.monotonic()
            for manifest in manifests:
                self._admin.create(manifest)
            return (time.monotonic() - began) / len(manifests)

        return statistics.median(map(once, self._named("trip", SINGLES)))

    def _single(self) -> float:
        def once(each: Deployment) -> float:
            time.sleep(PAUSE_SECONDS)  # what follows one, its status, must not count as the next one's
            began = self._create(each)
            return self._births.wait(each.name) - began

        return statistics.median(map(once, self._named("single", SINGLES)))

    def _repair(self) -> float:
        services: Any = client.CoreV1Api(Admin(self._bed.kubeconfig).api).list_service_for_all_namespaces

        def once(number: int) -> float:
            time.sleep(PAUSE_SECONDS)
            name, began = f"single-{number}", time.monotonic()
            labels = {"metadata": {"labels": {_LABEL: _WRONG}}}
            self._admin.patch("Service", f"single-{number // WARD}", name, labels)
            return repaired.wait(name, LIMIT_SECONDS) - began

        with Moments("repair of the Service", services, _repaired) as repaired:
            return statistics.median(map(once, range(REPAIRS)))

    def _unrelated(self, size: int) -> int:
        mark = self._audit.mark()
        for each in self._deployments(f"of-{size}", min(size, UNRELATED)):
            note = {"metadata": {"annotations": {"example.org/note": "nothing to do with us"}}}
            self._admin.patch("MeditronDeployment", each.namespace, each.name, note)
        self._operator.wait_idle()
        return self._writes(mark)

    def _deployments(self, prefix: str, count: int) -> list[Deployment]:
        return [Deployment(f"{prefix}-{number // WARD}", f"{prefix}-{number}") for number in range(count)]

    def _named(self, prefix: str, count: int) -> list[Deployment]:
        """In namespaces of their own, which controllers have finished with."""
        found = self._deployments(prefix, count)
        namespaces = list(dict.fromkeys(each.namespace for each in found))
        for name in namespaces:
            self._admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for name in namespaces:
            self._admin.wait("ServiceAccount", name, "default", lambda body: body is not None)
        return found

    def _create(self, each: Deployment) -> float:
        began = time.monotonic()
        self._admin.create(deployment(each.name, each.namespace, replicas=0))
        return began

    def _requests(self, mark: Mark) -> list[Request]:
        """Watches and the lease apart, which go with time and not with deployments."""
        found = self._audit.since(mark, self._contender.user)
        return [each for each in found if each.verb != "watch" and each.resource != "leases"]

    def _writes(self, mark: Mark) -> int:
        return sum(each.writes for each in self._requests(mark))


def _repaired(event: Mapping[str, Any]) -> str | None:
    meta = event["object"]["metadata"]
    name: str = meta["name"]
    return name if event["type"] == "MODIFIED" and meta["labels"][_LABEL] == _RIGHT else None
