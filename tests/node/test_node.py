"""A real node: pods run, serve, are limited and watched as on any other; its GPUs are in its status only."""

import json

import pytest

from tests.cluster.support import Admin
from tests.node.pods import PORT, log, pod, server, service, wait_attempts, wait_ended, wait_ready
from tests.node.timings import measured
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.node


def test_the_node_is_ready_and_has_gpus(bed: Testbed, admin: Admin) -> None:
    assert bed.node is not None
    node = admin.get("Node", None, bed.node.name)
    assert node is not None
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "16"
    assert node["metadata"]["labels"]["nvidia.com/gpu.product"].startswith("NVIDIA-A100-SXM4-80GB")
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.")


def test_a_restricted_pod_serves_behind_a_service(admin: Admin, ward: str, probe: str) -> None:
    with measured("from a pod's creation to its readiness"):
        admin.create(server(ward, probe))
        wait_ready(admin, ward, "server")
    address = admin.create(service(ward))["spec"]["clusterIP"]
    admin.create(pod(ward, "client", probe, "ask", address, "80", "30"))
    wait_attempts(admin, ward, "client", "an answer", lambda seen: any(each.answered for each in seen))


def test_the_pod_is_as_shut_in_as_it_says(admin: Admin, ward: str, probe: str) -> None:
    manifest = pod(ward, "told", probe, "describe", volumes=[{"name": "tmp", "emptyDir": {}}])
    manifest["spec"]["containers"][0]["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]
    admin.create(manifest)
    wait_ended(admin, ward, "told")
    assert json.loads(log(admin, ward, "told")) == {
        "user": 10001,
        "capabilities": "0" * 16,
        "seccomp": "2",  # a filter
        "no_new_privileges": "1",
        "writes": {"/": "Read-only file system", "/tmp": "written", "/dev/shm": "written"},
    }


def test_pod_security_refuses_root(admin: Admin, ward: str, probe: str) -> None:
    manifest = pod(ward, "root", probe, "serve", str(PORT), securityContext={"runAsUser": 0})
    with pytest.raises(Exception, match="violates PodSecurity") as refused:
        admin.create(manifest)
    assert "restricted" in str(refused.value)


def test_more_gpus_than_there_are_is_refused(admin: Admin, ward: str, probe: str) -> None:
    manifest = pod(ward, "greedy", probe, "serve", str(PORT))
    manifest["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "17"}}
    admin.create(manifest)
    found = admin.wait("Pod", ward, "greedy", lambda body: bool(body and body["status"].get("conditions")))
    assert found is not None
    assert "Insufficient nvidia.com/gpu" in found["status"]["conditions"][0]["message"]


def test_a_pod_that_needs_too_much_memory_is_killed(admin: Admin, ward: str, probe: str) -> None:
    manifest = pod(ward, "greedy", probe)
    container = manifest["spec"]["containers"][0]
    container |= {
        "command": ["/usr/bin/python3", "-c", "bytearray(512 * 2**20)"],
        "resources": {"limits": {"memory": "64Mi", "nvidia.com/gpu": "16"}},
    }
    admin.create(manifest)
    assert (
        wait_ended(admin, ward, "greedy")["status"]["containerStatuses"][0]["state"]["terminated"]["reason"]
        == "OOMKilled"
    )


def test_an_image_that_is_not_there_says_so(admin: Admin, ward: str) -> None:
    admin.create(pod(ward, "missing", "testbed.invalid/none@sha256:" + "0" * 64))

    def reason() -> bool:
        body = admin.get("Pod", ward, "missing") or {}
        states = [each["state"] for each in body["status"].get("containerStatuses", [])]
        return any(state.get("waiting", {}).get("reason") in {"ErrImagePull", "ImagePullBackOff"} for state in states)

    wait_for("the pod to say that its image is missing", reason, 30)


def test_the_api_server_is_reached_from_a_pod(admin: Admin, ward: str, probe: str) -> None:
    admin.create(pod(ward, "caller", probe, "version", automountServiceAccountToken=True))
    wait_ended(admin, ward, "caller")
    assert log(admin, ward, "caller").startswith("v1.")


def test_a_killed_kubelet_comes_back_with_its_pods_and_gpus(bed: Testbed, admin: Admin, ward: str, probe: str) -> None:
    assert bed.node is not None
    admin.create(server(ward, probe))
    before = wait_ready(admin, ward, "server")
    bed.kill("kubelet")
    bed.start_program("kubelet")
    node = admin.get("Node", None, bed.node.name)
    assert node is not None
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "16"
    after = wait_ready(admin, ward, "server")
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
    assert after["status"]["podIP"] == before["status"]["podIP"]
