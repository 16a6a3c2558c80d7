"""Manifests of the pods, Services and policies that the node's tests use, and what their logs say."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes.client.exceptions import BadRequestException, NotFoundException

from tests.cluster.support import Admin, Manifest, core
from tests.testbed.node.python_image import SITE, PythonImage
from tests.testbed.waiting import wait_for

PORT: Final = 8080
PROBE: Final = PythonImage(
    name="probe",
    entrypoint=("/usr/bin/python3", f"{SITE}/probe.py"),
    files={f"{SITE}/{name}": Path(__file__).parent / "inside" / name for name in ("probe.py", "reader.py")},
)
LIMIT_SECONDS: Final = 30.0


def namespace(name: str) -> Manifest:
    """Pod Security `restricted` is enforced."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(space: str, name: str, image: str, *args: str, **spec: Any) -> Manifest:
    """Everything dropped that `restricted` and a careful reader want dropped."""
    container = {
        "name": "main",
        "image": image,
        "args": list(args),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            **spec,
        },
    }


def server(space: str, image: str) -> Manifest:
    """Ready once it serves."""
    manifest = pod(space, "server", image, "serve", str(PORT))
    probe = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1}
    manifest["spec"]["containers"][0]["readinessProbe"] = probe
    return manifest


def service(space: str) -> Manifest:
    """In front of the server."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": space},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": PORT}]},
    }


def policy(space: str, name: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": space},
        "spec": spec,
    }


def deny_all(space: str) -> Manifest:
    """Nobody reaches a pod in this namespace."""
    return policy(space, "deny", podSelector={}, policyTypes=["Ingress"])


def allow(space: str, client: str) -> Manifest:
    """One kind of client reaches the server."""
    rule = {
        "from": [{"podSelector": {"matchLabels": {"app": client}}}],
        "ports": [{"port": PORT, "protocol": "TCP"}],
    }
    return policy(space, "allow", podSelector={"matchLabels": {"app": "server"}}, ingress=[rule])


def is_ready(body: Manifest | None) -> bool:
    conditions = body["status"].get("conditions", []) if body else []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def wait_ready(admin: Admin, space: str, name: str) -> Manifest:
    found = admin.wait("Pod", space, name, is_ready, LIMIT_SECONDS)
    assert found is not None
    return found


def wait_ended(admin: Admin, space: str, name: str) -> Manifest:
    """Well or not."""

    def ended(body: Manifest | None) -> bool:
        return bool(body and body["status"].get("phase") in {"Succeeded", "Failed"})

    found = admin.wait("Pod", space, name, ended, LIMIT_SECONDS)
    assert found is not None
    return found


def log(admin: Admin, space: str, name: str) -> str:
    """What the pod's container has printed so far; nothing while there is no container."""
    try:
        return str(core(admin).read_namespaced_pod_log(name, space) or "")
    except (BadRequestException, NotFoundException):  # kubelet does not know the pod yet
        return ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of `probe.py ask`."""

    began: float
    answered: bool


def attempts(admin: Admin, space: str, name: str) -> list[Attempt]:
    # Kubelet answers with a sentence while the container is being made, and the last line may not be whole yet.
    lines = log(admin, space, name).splitlines()
    return [Attempt(**json.loads(line)) for line in lines if line.startswith("{") and line.endswith("}")]


def wait_attempts(
    admin: Admin, space: str, name: str, what: str, holds: Callable[[list[Attempt]], bool]
) -> list[Attempt]:
    """Until what the client has seen so far is as wanted; returns it."""
    seen: list[Attempt] = []

    def look() -> bool:
        seen[:] = attempts(admin, space, name)
        return holds(seen)

    wait_for(f"{what}, seen by {space}/{name}", look, LIMIT_SECONDS)
    return seen
