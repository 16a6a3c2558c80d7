"""`gpu.type: auto` on a real API server and scheduler: chosen, moved while nothing serves, and then left alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cards import (
    POOL,
    Rack,
    card_node,
    mixed_mig_node,
    rack,
    shared_node,
    unknown_node,
)
from tests.cluster.support import Admin, Audit, Manifest, condition, deployment, touch, writes_caused
from tests.cluster.test_scheduling import squatter
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

TAINT = {"key": "team", "value": "research", "effect": "NoSchedule"}
MIG = "A100-80GB-MIG-3g.40gb"
UNKNOWN = "NVIDIA-RTX-5000-Ada"


@pytest.fixture
def cards(admin: Admin, namespace: str) -> Iterator[Rack]:
    with rack(admin) as found:
        yield found
        for body in admin.list("MeditronDeployment", namespace):
            admin.delete("MeditronDeployment", namespace, body["metadata"]["name"])
        for pod in admin.list("Pod", namespace):
            admin.wait_gone("Pod", namespace, pod["metadata"]["name"], 60)


def auto(name: str, namespace: str, **gpu: Any) -> Manifest:
    """A deployment that may take any card of the pool of its namespace."""
    return deployment(name, namespace, gpu={"type": "auto", "nodeSelector": {POOL: namespace}, **gpu})


def pod_of(admin: Admin, namespace: str, name: str) -> Manifest:
    pod = admin.get("Pod", namespace, f"{name}-0")
    assert pod is not None
    return pod


def remembered(admin: Admin, namespace: str, name: str) -> str | None:
    workload = admin.get("StatefulSet", namespace, name)
    assert workload is not None
    annotations: dict[str, str] = workload["metadata"].get("annotations") or {}
    return annotations.get("meditron.ai/gpu")


def test_the_best_of_all_is_chosen_and_the_others_are_told(
    bed: Testbed, admin: Admin, audit: Audit, namespace: str, cards: Rack
) -> None:
    for node in (
        card_node(f"{namespace}-l40s", namespace, "L40S:1"),
        unknown_node(f"{namespace}-unknown", namespace),
        mixed_mig_node(f"{namespace}-mig", namespace),
        shared_node(f"{namespace}-shared", namespace),
        card_node(f"{namespace}-tainted", namespace, "A10G:1", spec={"taints": [TAINT]}),
        card_node(f"{namespace}-small", namespace, "T4:1"),
    ):
        cards.add(node)
    admin.create(auto("notes", namespace))

    status = admin.wait_settled(namespace, "notes", "Ready")["status"]

    assert status["plan"]["summary"] == f"1x{UNKNOWN}"
    assert pod_of(admin, namespace, "notes")["spec"]["nodeName"] == f"{namespace}-unknown"
    told = status["gpuChoice"]
    assert told["gpuType"] == UNKNOWN
    assert f"1 x {UNKNOWN} per replica (standard)" in told["reason"]
    assert [each["gpuType"] for each in told["runnersUp"]] == [MIG, "L40S"]
    refusals = {each["gpuType"]: each["reason"] for each in told["refusals"]}
    assert "4 replicas of each card" in refusals["NVIDIA-L4-SHARED"]
    assert f"{namespace}-tainted has the taint team=research:NoSchedule" in refusals["A10G"]
    assert "weights 12.6 GiB" in refusals["T4"]
    assert f"has no label {POOL}={namespace}" in refusals["A100-40GB"]
    assert condition({"status": status}, "PlanCurrent")["reason"] == "Current"
    assert UNKNOWN in (remembered(admin, namespace, "notes") or "")

    def restart() -> None:
        bed.stop("operator")
        bed.start_program("operator")

    assert writes_caused(admin, audit, namespace, lambda: touch(admin, namespace, "notes")) == []
    assert writes_caused(admin, audit, namespace, restart) == []


def test_a_slice_is_asked_for_by_its_own_name(admin: Admin, namespace: str, cards: Rack) -> None:
    cards.add(mixed_mig_node(f"{namespace}-mig", namespace))
    admin.create(auto("notes", namespace))

    assert admin.wait_phase(namespace, "notes", "Ready")["status"]["plan"]["gpuType"] == MIG

    limits = pod_of(admin, namespace, "notes")["spec"]["containers"][0]["resources"]["limits"]
    assert (limits.get("nvidia.com/mig-3g.40gb"), "nvidia.com/gpu" in limits) == ("1", False)


def test_while_it_waits_it_moves_to_the_first_card_with_room(admin: Admin, namespace: str, cards: Rack) -> None:
    cards.add(card_node(f"{namespace}-full", namespace, "L40S:1"))
    taken = squatter("squatter", namespace, gpus=1)
    taken["spec"] |= {"nodeSelector": {POOL: namespace}}
    admin.create(taken)
    admin.wait("Pod", namespace, "squatter", lambda body: bool(body and body["spec"].get("nodeName")))
    admin.create(auto("notes", namespace))
    waiting = admin.wait_phase(namespace, "notes", "WaitingForGPU")["status"]
    assert waiting["plan"]["gpuType"] == "L40S"
    assert "room for 0 of 1 replicas now" in waiting["gpuChoice"]["reason"]
    first = pod_of(admin, namespace, "notes")["metadata"]["uid"]

    cards.add(card_node(f"{namespace}-free", namespace, "A100-80GB:1"))

    status = admin.wait_settled(namespace, "notes", "Ready")["status"]
    assert (status["plan"]["gpuType"], status["gpuChoice"]["gpuType"]) == ("A100-80GB", "A100-80GB")
    pod = pod_of(admin, namespace, "notes")
    assert (pod["spec"]["nodeName"], pod["metadata"]["uid"] != first) == (f"{namespace}-free", True)
    admin.delete("Pod", namespace, "squatter")


def test_what_serves_is_told_of_a_better_card_and_left_alone(
    admin: Admin, audit: Audit, namespace: str, cards: Rack
) -> None:
    home = f"{namespace}-home"
    cards.add(card_node(home, namespace, "H100-80GB:1"))
    admin.create(auto("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    before, template = pod_of(admin, namespace, "notes"), template_of(admin, namespace)
    mark = audit.mark()

    cards.add(card_node(f"{namespace}-better", namespace, "L40S:1"))
    better = admin.wait_condition(namespace, "notes", "PlanCurrent", "BetterChoice")
    relabel(admin, home, "NVIDIA-H100-80GB-HBM3-SHARED")
    gone = admin.wait_condition(namespace, "notes", "PlanCurrent", "CardGone")
    relabel(admin, home, "NVIDIA-H100-80GB-HBM3")
    admin.wait_condition(namespace, "notes", "PlanCurrent", "BetterChoice")

    assert "1 x L40S per replica (standard) would be chosen now, not 1 x H100-80GB" in better["message"]
    assert "no node has H100-80GB any more; L40S would be chosen now" in gone["message"]
    after = pod_of(admin, namespace, "notes")
    assert (after["metadata"]["uid"], after["spec"]["nodeName"]) == (before["metadata"]["uid"], home)
    assert template_of(admin, namespace) == template
    assert {request.resource for request in audit.writes(mark, namespace)} == {"events", "meditrondeployments/status"}


def test_without_its_statefulset_it_chooses_anew(admin: Admin, namespace: str, cards: Rack) -> None:
    """How to move to a card that has no name in the table."""
    cards.add(card_node(f"{namespace}-home", namespace, "A100-80GB:1"))
    admin.create(auto("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    cards.add(unknown_node(f"{namespace}-unknown", namespace))
    better = admin.wait_condition(namespace, "notes", "PlanCurrent", "BetterChoice")
    assert "delete StatefulSet notes" in better["message"]

    admin.delete("StatefulSet", namespace, "notes")

    admin.wait_condition(namespace, "notes", "PlanCurrent", "Current")
    assert admin.wait_settled(namespace, "notes", "Ready", 60)["status"]["plan"]["gpuType"] == UNKNOWN


def test_between_a_name_and_auto_nothing_restarts(admin: Admin, namespace: str, cards: Rack) -> None:
    for card in ("L40S", "A100-80GB"):
        cards.add(card_node(f"{namespace}-{card.lower()}", namespace, f"{card}:1"))
    admin.create(auto("notes", namespace, type="A100-80GB"))
    admin.wait_settled(namespace, "notes", "Ready")
    before = pod_of(admin, namespace, "notes")["metadata"]["uid"]
    assert remembered(admin, namespace, "notes") is None

    for type_, reason in (("auto", "BetterChoice"), ("A100-80GB", "Fixed")):
        admin.patch("MeditronDeployment", namespace, "notes", {"spec": {"gpu": {"type": type_}}})
        admin.wait_condition(namespace, "notes", "PlanCurrent", reason)
        admin.wait_settled(namespace, "notes", "Ready")
        assert pod_of(admin, namespace, "notes")["metadata"]["uid"] == before
        assert (remembered(admin, namespace, "notes") is None) == (type_ != "auto")


@pytest.mark.parametrize("theirs", [None, "{}"])
def test_an_annotation_changed_by_hand_is_put_right(
    admin: Admin, namespace: str, cards: Rack, theirs: str | None
) -> None:
    for card in ("L40S", "A100-80GB"):
        cards.add(card_node(f"{namespace}-{card.lower()}", namespace, f"{card}:1"))
    admin.create(auto("notes", namespace, type="A100-80GB"))
    admin.wait_settled(namespace, "notes", "Ready")
    admin.patch("MeditronDeployment", namespace, "notes", {"spec": {"gpu": {"type": "auto"}}})
    admin.wait("StatefulSet", namespace, "notes", lambda body: annotation_in(body) is not None)
    before, uid = remembered(admin, namespace, "notes"), pod_of(admin, namespace, "notes")["metadata"]["uid"]

    admin.patch("StatefulSet", namespace, "notes", {"metadata": {"annotations": {"meditron.ai/gpu": theirs}}})

    admin.wait("StatefulSet", namespace, "notes", lambda body: annotation_in(body) == before)
    assert pod_of(admin, namespace, "notes")["metadata"]["uid"] == uid


def test_a_stranger_to_all_nodes_is_refused_until_one_comes(admin: Admin, namespace: str, cards: Rack) -> None:
    admin.create(auto("notes", namespace))
    refused = admin.wait_condition(namespace, "notes", "Accepted", "DoesNotFit")
    assert "no card of the cluster will do" in refused["message"]
    assert f"L4: no node may be used: l4-0 has no label {POOL}={namespace}" in refused["message"]
    assert admin.get("StatefulSet", namespace, "notes") is None

    cards.add(card_node(f"{namespace}-first", namespace, "L40S:1"))

    assert admin.wait_phase(namespace, "notes", "Ready")["status"]["plan"]["summary"] == "1xL40S"


def annotation_in(body: Manifest | None) -> str | None:
    annotations: dict[str, str] = (body or {}).get("metadata", {}).get("annotations") or {}
    return annotations.get("meditron.ai/gpu")


def template_of(admin: Admin, namespace: str) -> Any:
    workload = admin.get("StatefulSet", namespace, "notes")
    assert workload is not None
    return workload["spec"]["template"]


def relabel(admin: Admin, node: str, product: str) -> None:
    admin.patch("Node", None, node, {"metadata": {"labels": {"nvidia.com/gpu.product": product}}})
