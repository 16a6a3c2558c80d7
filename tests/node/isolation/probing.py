"""All cells of a state at once: one prober for each who, inside its pod or on the node."""

import json
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from kubernetes import client, config
from kubernetes.stream import stream

from tests.cluster.support import Admin
from tests.isolation.people import CLINIC, ELSEWHERE, FIRST, SECOND, Who
from tests.isolation.table import Cell, Outcome, Where
from tests.node.isolation.stage import DNS_POD, INTERNET, PORT, STATION, STATION_IN_IMAGE, pod_name, space_of
from tests.testbed import Testbed
from tests.testbed.layout import API_SERVICE_ADDRESS, NODE_ADDRESS, Layout, Ports
from tests.testbed.node.configs import KUBELET_PORT
from tests.testbed.node.network import DNS_ADDRESS

_LIMIT_SECONDS: Final = 60

Target = tuple[str, str, int]
"""Protocol, address, port."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything is. It is looked up once: a pod that is gone is still looked for where it was."""

    targets: Mapping[Where, Target]

    @classmethod
    def of(cls, bed: Testbed, admin: Admin) -> "Addresses":
        def pod(space: str, name: str) -> str:
            body = admin.get("Pod", space, name)
            assert body is not None
            return str(body["status"]["podIP"])

        def service(name: str) -> str:
            body = admin.get("Service", CLINIC, name)
            assert body is not None
            return str(body["spec"]["clusterIP"])

        targets: dict[Where, Target] = {
            Where.POD: ("tcp", pod(CLINIC, pod_name(Who.FIRST_ENGINE)), PORT),
            Where.SECOND_POD: ("tcp", pod(CLINIC, pod_name(Who.SECOND_ENGINE)), PORT),
            Where.SERVICE: ("tcp", service(FIRST), PORT),
            Where.SECOND_SERVICE: ("tcp", service(SECOND), PORT),
            Where.API: ("tcp", API_SERVICE_ADDRESS, 443),
            Where.API_NODE: ("tcp", NODE_ADDRESS, Ports.load(Layout(bed.directory)).api),
            Where.KUBELET: ("tcp", NODE_ADDRESS, KUBELET_PORT),
            Where.DNS: ("tcp", DNS_ADDRESS, 53),
            Where.DNS_UDP: ("udp", DNS_ADDRESS, 53),
            Where.BESIDE: ("tcp", pod(CLINIC, pod_name(Who.BESIDE)), PORT),
            Where.ELSEWHERE: ("tcp", pod(ELSEWHERE, DNS_POD), PORT),
            Where.INTERNET: ("tcp", INTERNET, PORT),
        }
        return cls(targets)


@dataclass(frozen=True, slots=True)
class Probing:
    """Asks in everybody's name."""

    bed: Testbed
    admin: Admin
    addresses: Addresses

    def outcomes(self, cells: Iterable[Cell]) -> dict[Cell, Outcome]:
        """What each cell's attempt comes to."""
        headless = {Where.HEADLESS: self._resolved(FIRST), Where.SECOND_HEADLESS: self._resolved(SECOND)}
        found: dict[Cell, Outcome] = {}
        tasks: dict[Who, dict[Cell, Target]] = {}
        for cell in cells:
            target = headless[cell.where] if cell.where in headless else self.addresses.targets[cell.where]
            if target is None:
                found[cell] = Outcome.NO_ADDRESS
            else:
                protocol, address, port = target
                tasks.setdefault(cell.who, {})[cell] = (protocol, address, cell.port or port)
        with ThreadPoolExecutor(len(tasks)) as pool:
            for part in pool.map(self._by, tasks, tasks.values()):
                found |= part
        return found

    def _by(self, who: Who, task: Mapping[Cell, Target]) -> dict[Cell, Outcome]:
        question = json.dumps(list(task.values()))
        answer = self._on_the_node(question) if who is Who.NODE else self._in_the_pod(who, question)
        return dict(zip(task, map(Outcome, json.loads(answer)), strict=True))

    def _on_the_node(self, question: str) -> str:
        assert self.bed.node is not None
        return self.bed.node.run(sys.executable, "-IS", str(STATION), "ask", question)

    def _in_the_pod(self, who: Who, question: str) -> str:
        """As `kubectl exec` does. By a client of its own: a stream bends its client for as long as it is opened."""
        with config.new_client_from_config(config_file=str(self.bed.kubeconfig)) as api:  # type: ignore[no-untyped-call]
            run = stream(
                client.CoreV1Api(api).connect_get_namespaced_pod_exec,
                pod_name(who),
                space_of(who),
                command=["/usr/bin/python3", "-IS", STATION_IN_IMAGE, "ask", question],
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _preload_content=False,
            )
            try:
                run.run_forever(timeout=_LIMIT_SECONDS)
                answer, complaint = run.read_stdout(), run.read_stderr()
                assert run.returncode == 0, f"{who}: {complaint}"
            finally:
                run.sock.shutdown()  # close() leaves a connection that the server has ended to the garbage collector
        return str(answer)

    def _resolved(self, deployment: str) -> Target | None:
        """What a name server would answer for the headless Service: the ready addresses of its slices."""
        selector = f"kubernetes.io/service-name={deployment}-pods"
        for slice_ in self.admin.list("EndpointSlice", CLINIC, selector):
            for endpoint in slice_.get("endpoints") or []:
                if endpoint["conditions"].get("ready"):
                    return "tcp", endpoint["addresses"][0], PORT
        return None
