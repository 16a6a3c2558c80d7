"""GPUs: the right number, on the right nodes, and the right words when there are none."""

import pytest
import yaml

from tests.cluster.support import SAMPLES, Admin, Manifest, condition, create_all, deployment, weights_volume

pytestmark = pytest.mark.cluster

SAMPLE_GPUS = {
    "meditron-70b-bf16-4xa100-40gb": ("meditron-70b-bf16", 4, "a100-40gb"),
    "meditron-70b-gptq-1xa100-80gb": ("ward-assistant", 1, "a100-80gb"),
    "meditron-70b-gptq-auto": ("night-desk", 1, "a100-80gb"),
    "meditron-70b-gptq-2xrtx-4090": ("research-desk", 2, "rtx-4090"),
    "meditron-7b-1xl4": ("triage-helper", 1, "l4"),
}


@pytest.fixture
def ward(admin: Admin, namespace: str) -> str:
    """A namespace with the claim that the samples name."""
    create_all(admin, weights_volume(namespace, "meditron-weights"))
    return namespace


@pytest.mark.parametrize("sample", SAMPLE_GPUS)
def test_the_samples_land_on_their_cards(admin: Admin, ward: str, sample: str) -> None:
    name, gpus, node = SAMPLE_GPUS[sample]
    body = yaml.safe_load((SAMPLES / f"{sample}.yaml").read_text())
    body["metadata"]["namespace"] = ward
    admin.create(body)

    ready = admin.wait_phase(ward, name, "Ready")

    pod = admin.get("Pod", ward, f"{name}-0")
    assert pod is not None
    assert pod["spec"]["nodeName"].startswith(f"{node}-")
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == str(gpus)
    assert ready["status"]["plan"]["gpusPerReplica"] == gpus


def test_every_sample_for_some_hardware_is_taken_in_and_sized(admin: Admin, ward: str) -> None:
    """Whether the testbed has such cards or not; tests/unit/sizing compares the numbers."""
    bodies = [yaml.safe_load(path.read_text()) for path in (SAMPLES / "hardware").glob("*.yaml")]
    for body in bodies:
        body["metadata"]["namespace"] = ward
        body["spec"]["replicas"] = 0
        admin.create(body)
    for body in bodies:
        name, gpu = body["metadata"]["name"], body["spec"]["gpu"]
        refused = name in ("three-a100-80gb", "four-l4", "four-v100")
        seen = admin.wait_phase(ward, name, "Invalid" if refused else "Idle")
        if refused:
            assert condition(seen, "Accepted")["reason"] == "DoesNotFit"
        else:
            assert seen["status"]["plan"]["summary"] == f"{gpu['count']}x{gpu['type']}"


def large(name: str, namespace: str, replicas: int) -> Manifest:
    """70B on all eight GPUs of an A100-80GB node; the testbed has two such nodes."""
    model = {"id": "meditron-70b", "source": {"persistentVolumeClaim": {"claimName": "weights"}}}
    return deployment(name, namespace, model=model, gpu={"type": "A100-80GB", "count": 8}, replicas=replicas)


def test_what_is_missing_is_counted(admin: Admin, namespace: str) -> None:
    admin.create(large("first", namespace, 1))
    admin.wait_phase(namespace, "first", "Ready")
    admin.create(large("second", namespace, 3))

    waiting = admin.wait(
        "MeditronDeployment",
        namespace,
        "second",
        lambda body: (
            "16 more needed" in condition(body or {}, "Scheduled").get("message", "")
            and condition(body or {}, "Available").get("status") == "True"  # the replica that got a node serves
        ),
    )

    assert waiting is not None
    assert waiting["status"]["phase"] == "WaitingForGPU"
    scheduled = condition(waiting, "Scheduled")
    assert (scheduled["status"], scheduled["reason"]) == ("False", "WaitingForGPU")
    assert "2 replicas wait for 8 x A100-80GB each: 16 more needed" in scheduled["message"]
    assert f"held by {namespace}/first-0 (8), {namespace}/second-" in scheduled["message"]

    admin.delete("MeditronDeployment", namespace, "first")
    admin.wait(
        "MeditronDeployment", namespace, "second", lambda body: bool(body and body["status"]["readyReplicas"] == 2), 60
    )


def test_gpus_of_other_peoples_pods_count(admin: Admin, namespace: str) -> None:
    for number in range(2):
        admin.create(squatter(f"squatter-{number}", namespace, gpus=5))
    for number in range(2):
        admin.wait("Pod", namespace, f"squatter-{number}", lambda body: bool(body and body["spec"].get("nodeName")))
    admin.create(large("notes", namespace, 1))

    scheduled = admin.wait_condition(namespace, "notes", "Scheduled", "WaitingForGPU")

    assert "1 replica waits for 8 x A100-80GB: 5 more needed" in scheduled["message"]
    assert "free: 3 on a100-80gb-0, 3 on a100-80gb-1" in scheduled["message"]
    assert f"{namespace}/squatter-0 (5)" in scheduled["message"]
    for number in range(2):
        admin.delete("Pod", namespace, f"squatter-{number}")
    admin.wait_phase(namespace, "notes", "Ready", 60)


def squatter(name: str, namespace: str, gpus: int) -> Manifest:
    """Somebody else's pod on an A100-80GB node."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "train",
        "image": "registry.example.com/train:1",
        "resources": {"limits": {"nvidia.com/gpu": str(gpus)}},
        "securityContext": security,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "containers": [container],
            "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"},
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {},
                }
            ],
            "tolerations": [{"operator": "Exists"}],
        },
    }
