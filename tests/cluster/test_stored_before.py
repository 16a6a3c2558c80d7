"""Objects that were stored before a rule of the CRD existed: told in their status where the server takes one, in
an Event where it doesn't; never a crash, never a loop, and the kill switch works on them.

A testbed of its own, because for a moment its CRD knows no rules at all.
"""

import copy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from kubernetes.dynamic.exceptions import UnprocessibleEntityError

from tests.cluster.changes import CLAIM, ENV, GONE, OCI, PVC, SOURCE, Changes, changed
from tests.cluster.people import release, resume
from tests.cluster.support import (
    BEGINNING,
    ROOT,
    Admin,
    Audit,
    Manifest,
    condition,
    core,
    create_all,
    deployment,
    weights_volume,
)
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

NAMESPACE: Final = "stored-before"
CHANGES_LIMIT_SECONDS: Final = 20

INVALID: Final[dict[str, tuple[Changes, str, str]]] = {
    "empty-spec": ({"spec": {}}, "InvalidSpec", "spec.model: Field required; spec.gpu: Field required"),
    "no-spec": ({"spec": GONE}, "InvalidSpec", "spec.model: Field required"),
    "null-spec": ({"spec": None}, "InvalidSpec", "spec.model: Field required"),
    "null-model": ({"spec.model": None}, "InvalidSpec", "spec.model: Field required"),
    "no-source": ({SOURCE: GONE}, "InvalidSpec", "spec.model.source: Field required"),
    "two-sources": ({SOURCE: {**PVC, **OCI}}, "InvalidSpec", "spec.model.source: exactly one of"),
    "climbing-path": ({f"{CLAIM}.path": "../other"}, "InvalidSpec", f"{CLAIM}.path: String should match"),
    "large-context": ({"spec.model.contextTokens": 10**6}, "InvalidSpec", "spec.model.contextTokens: Input should be"),
    "old-word": ({"spec.model.quantization": "int3"}, "InvalidSpec", "spec.model.quantization: Input should be"),
    "token": ({ENV: {"HF_TOKEN": "hf_secret"}}, "InvalidSpec", f"{ENV}: HF_TOKEN is set by the operator"),
    "no-labels": (
        {"spec.network.clients": [{"namespace": "ward", "podLabels": {}}]},
        "InvalidSpec",
        "spec.network.clients[0].podLabels: Dictionary should have at least 1 item",
    ),
    "dtype": (
        {"spec.model.quantization": "gptq", "spec.model.dtype": "float16"},
        "InvalidSpec",
        "spec.model: dtype can't be set with quantization gptq",
    ),
    "by-tag": (
        {"spec.engine.image": "r.example/tgi:3.3.7"},
        "UnpinnedSource",
        "spec.engine.image: must end in @sha256:",
    ),
    "weights-by-tag": (
        {SOURCE: {"image": {"reference": "r.example/weights:1"}}},
        "UnpinnedSource",
        "spec.model.source.image.reference: must end in @sha256:",
    ),
    "text-for-count": ({"spec.gpu.count": "two"}, "InvalidSpec", "spec.gpu.count: Input should be a valid integer"),
    "object-for-clients": ({"spec.network.clients": {"a": 1}}, "InvalidSpec", "spec.network.clients: Input should be"),
    "number-for-variable": (
        {ENV: {"OMP_NUM_THREADS": 4}},
        "InvalidSpec",
        f"{ENV}.OMP_NUM_THREADS: Input should be a valid string",
    ),
    "name.with.dots": ({}, "InvalidSpec", "metadata.name: 'name.with.dots' must be a DNS label"),
    "7b": ({}, "InvalidSpec", "metadata.name: '7b' must be a DNS label that starts with a letter"),
}

NEVER_STARTED: Final = {"no-spec", "null-spec"}
"""A spec was asked for from the first day: nothing ever ran for these."""

MISTYPED: Final[dict[str, tuple[Changes, str]]] = {
    "text-for-model": ({"spec.model": "meditron-7b"}, "spec.model: Input should be"),
    "list-for-environment": ({ENV: ["A=1"]}, f"{ENV}: Input should be a valid dictionary"),
}
"""The server refuses every write to these, of the status too: its own rules can't be evaluated on them."""


def _definition() -> Manifest:
    body: Manifest = yaml.safe_load((ROOT / "crds" / "meditrondeployments.yaml").read_text())
    return body


def _without_rules(definition: Manifest) -> Manifest:
    loose = copy.deepcopy(definition)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    return loose


def _has_rules(admin: Admin) -> bool:
    try:
        admin.create(changed("probe", NAMESPACE, {"spec.model": "text"}), dry_run="All")
    except UnprocessibleEntityError:
        return True
    return False


@pytest.fixture(scope="module")
def old_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """A testbed whose operator starts with all the broken objects there."""
    directory: Path = tmp_path_factory.mktemp("old-bed")
    with Testbed.start(directory, nodes="L4:1:1", operator=True) as bed:
        admin = Admin(bed.kubeconfig)
        bed.stop("operator")
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        create_all(admin, weights_volume(NAMESPACE))
        bed.apply([_without_rules(_definition())])
        wait_for("the CRD without rules", lambda: not _has_rules(admin), CHANGES_LIMIT_SECONDS)
        create_all(admin, (changed(name, NAMESPACE, changes) for name, (changes, *_) in (INVALID | MISTYPED).items()))
        bed.apply([_definition()])
        wait_for("the CRD with its rules", lambda: _has_rules(admin), CHANGES_LIMIT_SECONDS)
        bed.start_program("operator")
        yield bed


@pytest.fixture(scope="module")
def old(old_bed: Testbed) -> Admin:
    return Admin(old_bed.kubeconfig)


@pytest.mark.parametrize("name", INVALID)
def test_the_status_names_field_and_rule(old: Admin, name: str) -> None:
    _, reason, words = INVALID[name]

    found = old.wait_condition(NAMESPACE, name, "Accepted", reason)

    assert found["status"] == "False"
    assert words in found["message"]
    assert "\n" not in found["message"]
    assert "hf_secret" not in found["message"]
    assert old.wait_phase(NAMESPACE, name, "Invalid")["status"]["reason"] == reason


@pytest.mark.parametrize("name", MISTYPED)
def test_an_event_tells_where_the_server_takes_no_status(old: Admin, name: str) -> None:
    def told() -> list[Any]:
        selector = f"involvedObject.name={name},reason=InvalidSpec"
        events: list[Any] = core(old).list_namespaced_event(NAMESPACE, field_selector=selector).items
        return events

    (event, *_) = wait_for(f"an Event about {name}", told, CHANGES_LIMIT_SECONDS)

    assert MISTYPED[name][1] in event.message


@pytest.mark.parametrize("name", sorted(INVALID.keys() - NEVER_STARTED))
@pytest.mark.guarantee("G2", "K8")
def test_its_kill_switch_can_be_set(old: Admin, name: str) -> None:
    """No rule of the CRD keeps a person from switching off what was stored before it."""
    old.patch("MeditronDeployment", NAMESPACE, name, {"metadata": {"annotations": {"meditron.ai/kill-switch": "halt"}}})

    stopped = old.wait_phase(NAMESPACE, name, "Stopped")

    assert condition(stopped, "Accepted")["status"] == "False"


def test_nothing_loops_nothing_crashed_and_a_good_one_serves(old: Admin, old_bed: Testbed) -> None:
    old.create(deployment("good", NAMESPACE))
    old.wait_phase(NAMESPACE, "good", "Ready")

    writes = Audit(old_bed.audit_log).writes(BEGINNING, NAMESPACE)
    written = [request for request in writes if not request.name.startswith("good")]
    assert {request.resource for request in written} == {"events", "meditrondeployments/status"}
    statuses = Counter(request.name for request in written if request.resource != "events")
    assert {name: count for name, count in statuses.items() if name in INVALID and count > 4} == {}
    # Tried again at growing distances of up to a minute: 0.2 s, 0.4 s, 0.8 s and so on.
    assert {name: count for name, count in statuses.items() if count > 12} == {}
    log = (old_bed.logs / "operator.log").read_text()
    assert [line for line in log.splitlines() if "pass crashed" in line or "Traceback" in line] == []


def test_a_stored_object_can_be_mended(old: Admin) -> None:
    """The rules that it broke don't hold against the edit that keeps them."""
    mended = deployment("empty-spec", NAMESPACE, replicas=0)["spec"]
    release(old, NAMESPACE, "empty-spec")  # engaged above: also that works on what breaks the rules
    resume(old, NAMESPACE, "empty-spec")

    old.patch("MeditronDeployment", NAMESPACE, "empty-spec", {"spec": mended})

    assert condition(old.wait_phase(NAMESPACE, "empty-spec", "Idle"), "Accepted")["status"] == "True"
