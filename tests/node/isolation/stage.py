"""Everybody of the table on the node: their pods, the two deployments, and an internet that is a second network."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.cluster.support import Admin, Manifest, create_all, weights_volume
from tests.isolation.people import CLINIC, ELSEWHERE, ENGINES, FIRST, HOSTS, PODS, RESTRICTED, SECOND, Who
from tests.isolation.scene import CLAIM, children, of_kind
from tests.isolation.table import CONTROL
from tests.node.pods import namespace, pod, wait_ready
from tests.testbed import Testbed
from tests.testbed.layout import REPOSITORY
from tests.testbed.node.network import DNS_ADDRESS
from tests.testbed.node.node import RealNode
from tests.testbed.node.python_image import SITE, PythonImage

STATION: Final = REPOSITORY / "tests" / "isolation" / "inside" / "station.py"
STATION_IN_IMAGE: Final = f"{SITE}/station.py"
PORT: Final = 8080
INTERNET: Final = "203.0.113.7"
DNS_POD: Final = "names"
ENGINE_PODS: Final = {Who.FIRST_ENGINE: f"{FIRST}-0", Who.SECOND_ENGINE: f"{SECOND}-0"}
START_SECONDS: Final = 60.0

_STATION_IMAGE: Final = PythonImage(
    name="station", entrypoint=("/usr/bin/python3", STATION_IN_IMAGE), files={STATION_IN_IMAGE: STATION}
)
_DOUBLE: Final = ("tests/__init__.py", "tests/doubles/__init__.py", "tests/doubles/tgi")
_ENGINE_IMAGE: Final = PythonImage(
    name="isolated-engine",
    entrypoint=("/usr/bin/python3", "-m", "tests.doubles.tgi"),
    packages=("aiohttp",),
    files={STATION_IN_IMAGE: STATION} | {f"{SITE}/{path}": REPOSITORY / path for path in _DOUBLE},
)


def pod_name(who: Who) -> str:
    """Of everybody who has a pod."""
    return ENGINE_PODS.get(who) or who.name.lower().replace("_", "-")


def space_of(who: Who) -> str:
    return HOSTS if who is Who.HOST_POD else PODS[who].namespace


@contextmanager
def stage(bed: Testbed, admin: Admin, folder: Path) -> Iterator[None]:
    """The first engine loads until `finish_loading`; all others are ready. Tidied up afterwards."""
    assert bed.node is not None
    station, engine = (bed.node.load(image.build(folder, print)) for image in (_STATION_IMAGE, _ENGINE_IMAGE))
    spaces = [*map(namespace, RESTRICTED), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOSTS}}]
    try:
        create_all(admin, spaces)
        create_all(admin, _weights(bed))
        create_all(admin, [each for name in (FIRST, SECOND) for each in map(_fitting, children(name, image=engine))])
        create_all(admin, _others(station))
        with _internet(bed.node):
            wait_all_ready(admin)
            yield
    finally:
        for space in spaces:
            admin.delete("Namespace", None, space["metadata"]["name"])
        admin.delete("PersistentVolume", None, f"{CLINIC}-{CLAIM}")


def wait_all_ready(admin: Admin) -> None:
    """Engines last: the others start meanwhile."""
    for who in Who:
        if who not in (Who.NODE, *ENGINES):
            wait_ready(admin, space_of(who), pod_name(who))
    wait_ready(admin, ELSEWHERE, DNS_POD)
    wait_serving(admin, Who.SECOND_ENGINE)


def wait_serving(admin: Admin, who: Who) -> Manifest:
    """Ready, which its Services wait for. Where the pod has gates they are opened, as the operator does."""
    name = pod_name(who)

    def holds(kind: str, body: Manifest | None) -> bool:
        conditions = (body or {}).get("status", {}).get("conditions", [])
        return any(each["type"] == kind and each["status"] == "True" for each in conditions)

    loaded = admin.wait("Pod", CLINIC, name, lambda body: holds("ContainersReady", body), START_SECONDS)
    assert loaded is not None
    for gate in loaded["spec"].get("readinessGates", []):
        _open(admin, name, gate["conditionType"])
    found = admin.wait("Pod", CLINIC, name, lambda body: holds("Ready", body), START_SECONDS)
    assert found is not None
    return found


def _open(admin: Admin, name: str, gate: str) -> None:
    body = {"status": {"conditions": [{"type": gate, "status": "True"}]}}
    admin.resource("Pod").status.patch(
        name=name, namespace=CLINIC, body=body, content_type="application/strategic-merge-patch+json"
    )


def finish_loading(admin: Admin, node: RealNode) -> Manifest:
    """From the node, which policies don't speak of: nobody else reaches the double's control port."""
    body = admin.get("Pod", CLINIC, pod_name(Who.FIRST_ENGINE))
    assert body is not None
    url = f"http://{body['status']['podIP']}:{CONTROL}/faults"
    code = "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], method='DELETE'), timeout=10)"
    node.run(sys.executable, "-c", code, url)
    return wait_serving(admin, Who.FIRST_ENGINE)


def stop(admin: Admin) -> None:
    """The first half of it: the policies of a stopped deployment. The pod lives on."""
    left = {each["metadata"]["name"] for each in of_kind("NetworkPolicy", children(FIRST, stopped=True))}
    for policy in of_kind("NetworkPolicy", children(FIRST)):
        if policy["metadata"]["name"] not in left:
            admin.delete("NetworkPolicy", CLINIC, policy["metadata"]["name"])


def end(admin: Admin) -> None:
    """The second half: no replicas. Returns when the pod is gone."""
    (stopped,) = of_kind("StatefulSet", children(FIRST, stopped=True))
    replicas = {"spec": {"replicas": stopped["spec"]["replicas"]}}
    admin.patch("StatefulSet", CLINIC, FIRST, replicas)
    admin.wait_gone("Pod", CLINIC, pod_name(Who.FIRST_ENGINE), START_SECONDS)


def _fitting(manifest: Manifest) -> Manifest:
    """A double needs little, and the node is small; nothing else differs from what was rendered."""
    if manifest["kind"] == "StatefulSet":
        resources = manifest["spec"]["template"]["spec"]["containers"][0]["resources"]
        resources["requests"] |= {"cpu": "10m", "memory": "256Mi", "ephemeral-storage": "1Mi"}
        resources["limits"] |= {"memory": "256Mi", "ephemeral-storage": "1Gi"}
    return manifest


def _weights(bed: Testbed) -> list[Manifest]:
    """Empty ones, in the testbed's own folder."""
    folder = bed.directory / "weights"
    folder.mkdir(exist_ok=True)
    volume, claim = weights_volume(CLINIC, CLAIM)
    volume["spec"]["hostPath"]["path"] = str(folder)
    return [volume, claim]


def _others(image: str) -> Iterator[Manifest]:
    for who, identity in PODS.items():
        if who not in ENGINES:
            yield _station(identity.namespace, pod_name(who), image, dict(identity.labels))
    yield _station(HOSTS, pod_name(Who.HOST_POD), image, {}, hostNetwork=True)
    yield _station(ELSEWHERE, DNS_POD, image, {"k8s-app": "kube-dns"})
    ports = [
        {"name": protocol.lower(), "port": 53, "targetPort": PORT, "protocol": protocol} for protocol in ("TCP", "UDP")
    ]
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": DNS_POD, "namespace": ELSEWHERE},
        "spec": {"selector": {"k8s-app": "kube-dns"}, "clusterIP": DNS_ADDRESS, "ports": ports},
    }


def _station(space: str, name: str, image: str, labels: dict[str, str], **spec: Any) -> Manifest:
    manifest = pod(space, name, image, "serve", str(PORT), **spec)
    manifest["metadata"]["labels"] = labels
    return manifest


_MAKE_INTERNET: Final = f"""
ip netns add internet
ip link add internet0 type veth peer name eth0 netns internet
ip address add 203.0.113.1/24 dev internet0
ip link set internet0 up
ip -n internet address add {INTERNET}/24 dev eth0
ip -n internet link set eth0 up
ip -n internet route add default via 203.0.113.1
ip netns exec internet "$0" "$1" serve {PORT} >/dev/null 2>&1 &
echo $!
"""
_END_INTERNET: Final = "kill $0; ip link delete internet0; ip netns delete internet"


@contextmanager
def _internet(node: RealNode) -> Iterator[None]:
    """A network behind the node, inside the testbed's own: what a real cluster has a way out to."""
    server = node.run("/bin/sh", "-ec", _MAKE_INTERNET, sys.executable, str(STATION)).strip()
    try:
        yield
    finally:
        node.run("/bin/sh", "-ec", _END_INTERNET, server)
