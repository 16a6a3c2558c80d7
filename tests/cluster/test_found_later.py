"""What the API server lets pass and only the operator can judge: the conditions say what is wrong, and no more
is written once they have said it."""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest
from _pytest.mark import ParameterSet

from tests.cluster.changes import Changes, changed
from tests.cluster.support import BEGINNING, Admin, Audit, Manifest, condition, create_all, deployment
from tests.cluster.wards import shared_ward
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

QUANTIZATION: Final = "spec.model.quantization"
GPU: Final = "spec.gpu"
HOUSE: Final = "found-later-"  # and a word: namespaces where somebody forbids something


Crashes = Callable[[], list[str]]


def _case(name: str, changes: Changes, expected: tuple[str, str, str, str]) -> ParameterSet:
    return pytest.param(name, changes, expected, id=name)


def _bad(name: str, changes: Changes, reason: str, words: str) -> ParameterSet:
    return _case(name, changes, ("Accepted", "False", reason, words))


def _fit(name: str, changes: Changes, words: str) -> ParameterSet:
    return _bad(name, changes, "DoesNotFit", words)


def _unplaced(name: str, changes: Changes, reason: str, words: str) -> ParameterSet:
    return _case(name, changes, ("Scheduled", "False", reason, words))


NOT_ACCEPTED: Final = [
    _bad("unknown-model", {"spec.model.id": "meditron-13b"}, "UnknownModel",
         "spec.model.id: 'meditron-13b' is not known; known: meditron-7b, meditron-70b"),
    _bad("unknown-gpu", {"spec.gpu.type": "H100"}, "UnknownGPU",
         "spec.gpu.type: 'H100' is not known; known: A100-40GB, A100-80GB, H100-80GB"),
    _bad("gpu-in-lower-case", {"spec.gpu.type": "l4"}, "UnknownGPU", "spec.gpu.type: 'l4' is not known"),
    _fit("any-gpu-of-nobody", {GPU: {"type": "auto", "nodeSelector": {"zone": "moon"}}},
         "L4: no node may be used: l4-0 has no label zone=moon"),
    _bad("no-engine-image", {"spec.engine": {}}, "InvalidSpec",
         "spec.engine.image: needed, because the operator was installed without a default engine image"),
    _fit("three-gpus", {"spec.gpu.count": 3},
         "cannot run on 3 GPUs: 3 does not divide 32 attention heads. Next: use 1 GPU"),
    _fit("gptq-on-four", {GPU: {"type": "L4", "count": 4}, QUANTIZATION: "gptq"},
         "11,008 / 4 = 2,752 is no multiple of the group of 128"),
    _fit("seventy-on-one", {"spec.model.id": "meditron-70b", GPU: {"type": "A100-80GB", "count": 1}},
         "weights 128.5 GiB + activations"),
    _fit("context-too-long", {"spec.model.contextTokens": 4096},
         "meditron-7b has 2,048 positions: no context of 4,096 tokens"),
    _fit("concurrency-too-large", {"spec.model.concurrency": 1000},
         "2,048,000 wanted (1000 x 2,048). Next: lower the concurrency to"),
    _fit("v100-sharded", {GPU: {"type": "V100-32GB", "count": 2}},
         "compute capability 7.0 of V100-32GB has no sharded path in TGI"),
    _fit("t4-sharded", {GPU: {"type": "T4", "count": 2}}, "T4 (compute capability 7.5) has no sharded path in TGI"),
    _fit("t4-bfloat16", {GPU: {"type": "T4"}, "spec.model.dtype": "bfloat16"}, "has no bfloat16: use float16"),
    _fit("t4-awq", {GPU: {"type": "T4"}, QUANTIZATION: "awq"}, "awq needs compute capability 8.0, not T4"),
    _fit("t4-fp8", {GPU: {"type": "T4"}, QUANTIZATION: "fp8"}, "fp8 needs compute capability 8.0, not T4"),
    _fit("b200", {GPU: {"type": "B200"}}, "not proven on B200 (compute capability 10.0): set gpu.allowUnproven to try"),
    _fit("mi300x-awq", {GPU: {"type": "MI300X"}, QUANTIZATION: "awq"}, "awq needs CUDA, not MI300X (ROCm)"),
    _fit("mi300x-e5m2", {GPU: {"type": "MI300X"}, "spec.model.kvCacheDtype": "fp8_e5m2"}, "has no fp8_e5m2 KV cache"),
]  # fmt: skip

NOT_PLACED: Final = [
    _unplaced("no-such-card", {GPU: {"type": "T4"}, QUANTIZATION: "gptq"}, "NoSuchNode",
              "no node has nvidia.com/gpu.product in (Tesla-T4)"),
    _unplaced("b200-at-own-risk", {GPU: {"type": "B200", "allowUnproven": True}}, "NoSuchNode", "NVIDIA-B200"),
    _unplaced("node-selector-of-nobody", {"spec.gpu.nodeSelector": {"zone": "moon"}}, "NoSuchNode",
              "in (NVIDIA-L4) and zone=moon"),
    _unplaced("sixteen-gpus", {GPU: {"type": "A100-80GB", "count": 16}}, "NoSuchNode",
              "a replica needs 16 x A100-80GB on one node, and no node has more than 8"),
    _unplaced("no-claim", {"spec.model.source": {"persistentVolumeClaim": {"claimName": "nowhere"}}}, "Unschedulable",
              'no-claim-0: 0/9 nodes are available: persistentvolumeclaim "nowhere" not found'),
    _unplaced("one-pair-too-few", {GPU: {"type": "RTX-4090", "count": 2}, "spec.replicas": 3}, "WaitingForGPU",
              "1 replica waits for 2 x RTX-4090: 2 more needed; free: none; the cluster has 4 x RTX-4090; held by"),
]  # fmt: skip

FOUND: Final = [*NOT_ACCEPTED, *NOT_PLACED]


@pytest.fixture(scope="module")
def crashes(bed: Testbed) -> Crashes:
    """What of the operator's log since the begin of this module tells of a crash."""
    log = bed.logs / "operator.log"
    start = log.stat().st_size

    def read() -> list[str]:
        lines = log.read_bytes()[start:].decode().splitlines()
        return [line for line in lines if "pass crashed" in line or "Traceback" in line]

    return read


@pytest.fixture(scope="module")
def ward(admin: Admin, crashes: Crashes) -> Iterator[str]:
    """All cases side by side in one namespace, each in its own deployment."""
    with shared_ward(admin, "found-later") as name:
        create_all(admin, (changed(str(case.values[0]), name, case.values[1]) for case in FOUND))  # type: ignore[arg-type]
        yield name


@pytest.mark.parametrize(("name", "changes", "expected"), FOUND)
def test_a_condition_tells(
    admin: Admin, ward: str, name: str, changes: Changes, expected: tuple[str, str, str, str]
) -> None:
    type_, status, reason, words = expected

    found = admin.wait_condition(ward, name, type_, reason)

    assert (found["type"], found["status"]) == (type_, status)
    assert words in found["message"]
    assert "\n" not in found["message"]


@pytest.mark.parametrize("name", [case.values[0] for case in NOT_ACCEPTED])
def test_what_is_not_accepted_has_no_children(admin: Admin, ward: str, name: str) -> None:
    admin.wait_phase(ward, name, "Invalid")

    assert [kind for kind in ("StatefulSet", "Service", "NetworkPolicy") if admin.get(kind, ward, name)] == []


def test_an_unproven_card_is_accepted_at_own_risk(admin: Admin, ward: str) -> None:
    assert admin.wait_condition(ward, "b200-at-own-risk", "Accepted", "Valid")["status"] == "True"


def test_two_of_three_serve_while_the_third_waits(admin: Admin, ward: str) -> None:
    found = admin.wait_condition(ward, "one-pair-too-few", "Available", "Serving")

    assert (found["status"], found["message"]) == ("True", "2 of 3 replicas are ready")


def test_a_bad_edit_leaves_what_serves_alone(admin: Admin, audit: Audit, ward: str) -> None:
    """An edit that can't be carried out is named, and the replicas of before go on serving."""
    admin.create(deployment("edited", ward))
    admin.wait_phase(ward, "edited", "Ready")
    mark = audit.mark()

    admin.patch("MeditronDeployment", ward, "edited", {"spec": {"gpu": {"count": 3}}})

    assert "3 does not divide" in admin.wait_condition(ward, "edited", "Accepted", "DoesNotFit")["message"]
    assert admin.wait_condition(ward, "edited", "Available", "Serving")["status"] == "True"
    written = {request.resource for request in audit.writes(mark, ward) if request.name.startswith("edited")}
    assert written <= {"events", "meditrondeployments/status"}
    admin.delete("MeditronDeployment", ward, "edited")


FOREIGN: Final[dict[str, Manifest]] = {
    "service": {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"selector": {"app": "other"}, "ports": [{"port": 80}]},
    },
    "set": {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "other"}},
            "template": {
                "metadata": {"labels": {"app": "other"}},
                "spec": {"containers": [{"name": "other", "image": "r.example/other"}]},
            },
        },
    },
    "policy": {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "spec": {"podSelector": {"matchLabels": {"app": "other"}}, "ingress": [{}]},
    },
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_belongs_to_somebody_else_is_left_alone(admin: Admin, ward: str, name: str) -> None:
    """Byte for byte, and without a pod of ours next to it."""
    in_the_way = copy.deepcopy(FOREIGN[name])
    suffix, kind = "-deny" if name == "policy" else "", in_the_way["kind"]
    in_the_way["metadata"] = {"name": f"{name}{suffix}", "namespace": ward}
    admin.create(in_the_way)
    before = admin.wait(kind, ward, f"{name}{suffix}", _seen_by_its_controller)

    admin.create(deployment(name, ward))

    found = admin.wait_condition(ward, name, "Progressing", "NotOurs")
    assert found["status"] == "False"
    assert f"{kind} {name}{suffix} exists and is not controlled by this deployment: delete it" in found["message"]
    assert admin.wait_phase(ward, name, "Degraded")["status"]["reason"] == "NotOurs"
    assert admin.get(kind, ward, f"{name}{suffix}") == before
    assert admin.list("Pod", ward, f"meditron.ai/deployment={name}") == []


def _seen_by_its_controller(body: Manifest | None) -> bool:
    """So that nothing but the operator could still change it."""
    return body is not None and (body["kind"] != "StatefulSet" or "observedGeneration" in body.get("status", {}))


MOST_REFUSED: Final = 3 * 9
"""Three policies, or fewer children of another kind; nine tries in the first two minutes, after pauses that double."""


def _quota(namespace: str, **hard: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "house-rules", "namespace": namespace},
        "spec": {"hard": {key.replace("__", "/").replace("_", "."): value for key, value in hard.items()}},
    }


FORBIDDEN: Final = {
    "sets": ({"count__statefulsets_apps": "0"}, ("Progressing", "WriteRefused", "exceeded quota: house-rules")),
    "services": ({"services": "0"}, ("Progressing", "WriteRefused", "exceeded quota: house-rules")),
    "policies": (
        {"count__networkpolicies_networking_k8s_io": "0"},
        ("Progressing", "WriteRefused", "exceeded quota: house-rules"),
    ),
    "pods": ({"pods": "0"}, ("Scheduled", "PodsMissing", "0 of 1 pods")),
    "gpus": ({"requests_nvidia_com__gpu": "0"}, ("Scheduled", "PodsMissing", "0 of 1 pods")),
    "restricted": ({}, ("Scheduled", "PodsMissing", "0 of 1 pods")),
}


@pytest.fixture(scope="module")
def strict_houses(admin: Admin, crashes: Crashes) -> Iterator[None]:
    """Namespaces where a quota or Pod Security is in the way of something; `root` asks for what the last forbids."""
    with ExitStack() as houses:
        for word, (hard, _) in FORBIDDEN.items():
            houses.enter_context(
                shared_ward(admin, HOUSE + word, **{"pod-security.kubernetes.io/enforce": "restricted"})
            )
            if hard:
                admin.create(_quota(HOUSE + word, **hard))
                admin.wait("ResourceQuota", HOUSE + word, "house-rules", _is_enforced)
            body = deployment("notes", HOUSE + word)
            body["spec"]["engine"]["runAsNonRoot"] = word != "restricted"
            admin.create(body)
        yield


def _is_enforced(quota: Manifest | None) -> bool:
    return bool(quota and quota.get("status", {}).get("hard"))


@pytest.mark.parametrize("word", FORBIDDEN)
def test_what_the_house_forbids_is_told(admin: Admin, audit: Audit, strict_houses: None, word: str) -> None:
    """The server's own words where it refused the operator; where it refused the pods, that there are none."""
    namespace, (_, (type_, reason, words)) = HOUSE + word, FORBIDDEN[word]

    found = admin.wait_condition(namespace, "notes", type_, reason)

    assert found["status"] == "False"
    assert words in found["message"]
    assert admin.list("Pod", namespace) == []
    refused = [request for request in audit.writes(BEGINNING, namespace) if request.code == 403]
    assert len(refused) <= MOST_REFUSED, "a refusal is tried again ever more seldom, not in a loop"


def test_no_model_starts_before_its_policies(admin: Admin, strict_houses: None) -> None:
    for word in ("policies", "services"):
        admin.wait_phase(HOUSE + word, "notes", "Degraded")
        assert admin.get("StatefulSet", HOUSE + word, "notes") is None


def test_nothing_more_is_written_and_a_good_one_serves(
    admin: Admin, audit: Audit, ward: str, strict_houses: None, crashes: Crashes
) -> None:
    """After all of the above: the operator has fallen silent about them, and works for everybody else.

    What a house refuses is tried again, ever more seldom, and one of those tries may come just now.
    """
    admin.create(deployment("afterwards", ward))
    admin.wait_phase(ward, "afterwards", "Ready")
    mark = audit.mark()
    admin.patch("MeditronDeployment", ward, "afterwards", {"spec": {"replicas": 2}})
    admin.wait("MeditronDeployment", ward, "afterwards", lambda body: bool(body and body["status"]["ready"] == "2/2"))

    written = [request for request in audit.since(mark) if request.writes and request.namespace.startswith(ward)]
    rest = [request for request in written if not request.name.startswith("afterwards")]
    assert [request for request in rest if request.namespace == ward or request.code != 403] == []
    for body in admin.list("MeditronDeployment", ward):
        assert condition(body, "Stopped")["reason"] == "NotEngaged"
    assert crashes() == []
