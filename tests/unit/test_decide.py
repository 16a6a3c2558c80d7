"""What is written, from what is wanted and what is there."""

from dataclasses import replace
from typing import Any

import pytest

from meditron_operator.core.compare import settle
from meditron_operator.core.decide import Case, decide
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Cluster
from meditron_operator.core.render.meta import Manifest, Owner
from meditron_operator.core.spec import SpecError
from meditron_operator.core.steps import Create, Decision, Delete, Replace, Step
from tests.unit.kit import HALT, OWNER, case, child, children, cluster, live, stored

UNREADABLE = {"model": "not even a mapping", "gpu.count": 3}
STRANGER = {"apiVersion": "v1", "kind": "Deployment", "name": "helm", "uid": "theirs", "controller": True}


def steps(decision: Decision) -> list[Step]:
    return [*decision.stop, *decision.foundation, *decision.workload, *decision.prune]


def names(found: tuple[Step, ...] | list[Step]) -> list[str]:
    return [f"{type(step).__name__} {step.ref}" for step in found]


def with_one_changed(kind: str, name: str, change: Any, changes: dict[str, Any] | None = None) -> Cluster:
    """All children as they should be, but one of them as somebody left it."""
    found = []
    for manifest in children(changes):
        obj = stored(manifest)
        if (obj["kind"], obj["metadata"]["name"]) == (kind, name):
            change(obj["metadata"])
        found.append(Live.of(obj["kind"], obj))
    return Cluster(children=tuple(found))


def test_an_empty_cluster_gets_everything() -> None:
    decision = decide(case({"replicas": 2}), cluster([]), {})
    assert names(decision.workload) == ["Create StatefulSet ward"]
    assert names(decision.foundation) == [
        "Create NetworkPolicy ward-deny",
        "Create NetworkPolicy ward-operate",
        "Create NetworkPolicy ward-allow",
        "Create ServiceAccount ward",
        "Create Service ward",
        "Create Service ward-pods",
        "Create PodDisruptionBudget ward",
    ]
    assert not decision.stop
    assert not decision.prune
    assert decision


@pytest.mark.parametrize("changes", [{}, {"replicas": 3}, {"network": {}}, {"gpu.type": "MI300X"}])
def test_a_cluster_that_is_right_gets_nothing(changes: dict[str, Any]) -> None:
    assert not decide(case(changes), cluster(children(changes)), {})


def test_a_stopped_cluster_that_is_right_gets_nothing() -> None:
    assert not decide(case(off=HALT), cluster(children(stopped=True)), {})


def test_carrying_it_out_once_is_enough() -> None:
    """From nothing, from another spec and from a stop: a second look finds nothing to do."""
    wanted = children()
    for before in (cluster([]), cluster(children({"replicas": 3})), cluster(children(stopped=True))):
        decision = decide(case(), before, {})
        after = {found.ref: found for found in before.children}
        for step in steps(decision):
            if isinstance(step, Delete):
                del after[step.ref]
            else:
                after[step.ref] = Live.of(step.ref.kind, stored(step.manifest, 8))
        assert {ref.name for ref in after} == {item["metadata"]["name"] for item in wanted}
        assert not decide(case(), Cluster(children=tuple(after.values())), {})


def test_a_repair_is_a_full_update_of_exactly_what_was_seen() -> None:
    there = with_one_changed("Service", "ward", lambda metadata: metadata["labels"].clear())
    service = there.child("Service", "ward")
    assert service is not None
    (step,) = steps(decide(case(), there, {}))
    assert isinstance(step, Replace)
    assert step.manifest["metadata"]["uid"] == service.uid
    assert step.manifest["metadata"]["resourceVersion"] == service.resource_version
    assert step.desired == child(children(), "Service")


def test_what_somebody_else_controls_is_left_alone() -> None:
    there = with_one_changed("StatefulSet", "ward", lambda metadata: metadata.update(ownerReferences=[STRANGER]))
    decision = decide(case({"replicas": 2}), there, {})
    assert [found.ref.name for found in decision.foreign] == ["ward"]
    assert not decision.workload
    for off in (None, HALT):
        assert "StatefulSet" not in {step.ref.kind for step in steps(decide(case(off=off), there, {}))}


def test_a_namesakes_child_is_somebody_elses() -> None:
    """The deployment was deleted and made again: the garbage collector has not been there yet."""
    old = Owner(name=OWNER.name, namespace=OWNER.namespace, uid="older-uid")
    decision = decide(case(), cluster(children(owner=old)), {})
    assert not steps(decision)
    assert len(decision.foreign) == len(children())


def test_two_deployments_can_want_the_same_service() -> None:
    """ward has ward-pods; a deployment of that name keeps off it and says so."""
    other = Owner(name="ward-pods", namespace=OWNER.namespace, uid="other")
    theirs: Case = case()
    theirs = replace(theirs, owner=other)
    decision = decide(theirs, cluster(children()), {})
    assert [str(found.ref) for found in decision.foreign] == ["Service ward-pods"]


def test_an_unlabelled_object_in_the_way_is_somebody_elses() -> None:
    def bare(metadata: dict[str, Any]) -> None:
        metadata.pop("labels")
        metadata.pop("ownerReferences")

    decision = decide(case(), with_one_changed("Service", "ward", bare), {})
    assert [str(found.ref) for found in decision.foreign] == ["Service ward"]
    assert not steps(decision)


def test_a_lost_owner_reference_is_put_back() -> None:
    there = with_one_changed("StatefulSet", "ward", lambda metadata: metadata.pop("ownerReferences"))
    (step,) = steps(decide(case(), there, {}))
    assert isinstance(step, Replace)
    assert step.manifest["metadata"]["ownerReferences"][0]["uid"] == OWNER.uid


def test_a_settled_form_is_not_written_again() -> None:
    manifest = child(children(), "StatefulSet")
    obj = stored(manifest)
    obj["spec"]["addedByTheServer"] = True
    returned = Live.of("StatefulSet", obj)
    there = Cluster(children=(*(live(item) for item in children() if item["kind"] != "StatefulSet"), returned))
    assert names(steps(decide(case(), there, {}))) == ["Replace StatefulSet ward"]
    assert not decide(case(), there, {returned.uid: settle(manifest, returned)})


# --- prune


def test_what_is_no_longer_asked_for_goes() -> None:
    decision = decide(case({"network": {}}), cluster(children({"replicas": 2})), {})
    assert names(decision.prune) == ["Delete NetworkPolicy ward-allow", "Delete PodDisruptionBudget ward"]


def test_a_copy_with_our_labels_is_not_ours_to_delete() -> None:
    def copied(manifest: Manifest, **metadata: Any) -> Live:
        obj = stored(manifest)
        obj["metadata"] |= metadata
        return Live.of(obj["kind"], obj)

    allow = child(children(), "NetworkPolicy", "ward-allow")
    there = Cluster(
        children=(
            *(live(item) for item in children()),
            copied(allow, name="copy", ownerReferences=[]),
            copied(allow, name="theirs", ownerReferences=[STRANGER]),
        )
    )
    assert not decide(case(), there, {})


def test_a_door_that_lost_its_owner_reference_is_still_closed() -> None:
    there = with_one_changed("NetworkPolicy", "ward-allow", lambda metadata: metadata.pop("ownerReferences"))
    assert names(decide(case({"network": {}}), there, {}).prune) == ["Delete NetworkPolicy ward-allow"]


# --- specs that can't be carried out


def test_an_invalid_spec_changes_nothing() -> None:
    assert isinstance(case(UNREADABLE).verdict, SpecError)
    assert not decide(case(UNREADABLE), cluster(children()), {})
    assert not decide(case(UNREADABLE), cluster([]), {})


# --- the kill switch


@pytest.mark.parametrize("changes", [{}, UNREADABLE, {"model.id": "unknown"}, {"gpu.count": 3}])
def test_the_kill_switch_needs_no_valid_spec(changes: dict[str, Any]) -> None:
    there = cluster(children({"replicas": 3}))
    decision = decide(case(changes, off=HALT), there, {})
    assert names(decision.stop) == ["Delete NetworkPolicy ward-allow", "Replace StatefulSet ward"]
    workload = decision.stop[1]
    assert isinstance(workload, Replace)
    before = there.child("StatefulSet", "ward")
    assert before is not None
    spec = dict(workload.manifest["spec"])
    assert spec.pop("replicas") == 0
    assert spec == {key: value for key, value in before.body["spec"].items() if key != "replicas"}
    assert workload.manifest["metadata"]["resourceVersion"] == before.resource_version
    assert (workload.manifest["apiVersion"], workload.manifest["kind"]) == ("apps/v1", "StatefulSet")


def test_a_step_of_the_stop_is_taken_once() -> None:
    decision = decide(case({"gpu.type": "H100-80GB"}, off=HALT), cluster(children()), {})
    found = names(steps(decision))
    assert len(found) == len(set(found))
    assert not decision.workload, "the new template waits for the next pass"


def test_while_stopped_nothing_comes_back() -> None:
    decision = decide(case(off=HALT), cluster([]), {})
    (workload,) = decision.workload
    assert isinstance(workload, Create)
    assert workload.manifest["spec"]["replicas"] == 0
    assert "ward-allow" not in {step.ref.name for step in steps(decision)}


def test_what_is_stopped_is_not_stopped_again() -> None:
    assert not decide(case(UNREADABLE, off=HALT), cluster(children(stopped=True)), {}).stop


@pytest.mark.parametrize(("kind", "name"), [("NetworkPolicy", "ward-allow"), ("StatefulSet", "ward")])
def test_a_lost_owner_reference_does_not_protect_from_the_stop(kind: str, name: str) -> None:
    there = with_one_changed(kind, name, lambda metadata: metadata.pop("ownerReferences"))
    assert len(decide(case(UNREADABLE, off=HALT), there, {}).stop) == 2


def test_release_brings_back_what_was_taken() -> None:
    decision = decide(case(), cluster(children(stopped=True)), {})
    assert names(steps(decision)) == ["Create NetworkPolicy ward-allow", "Replace StatefulSet ward"]
