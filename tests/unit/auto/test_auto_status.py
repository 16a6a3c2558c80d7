"""What the status and the annotation tell of a choice, and when."""

from dataclasses import replace
from typing import Any

import pytest

from meditron_operator.core.assess import assess
from meditron_operator.core.auto import Surroundings, recall
from meditron_operator.core.auto.told import MOST_WORDS
from meditron_operator.core.compare import matches, updated
from meditron_operator.core.decide import Case, decide, surroundings
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Cluster, Node, Pod
from meditron_operator.core.render import Site, desired
from meditron_operator.core.status import View, condition_changes, summarize
from tests.unit.auto.nodes import node, unknown
from tests.unit.kit import OPERATOR_NAMESPACE, OWNER, child, pod, saying, spec, stored
from tests.unit.kit import case as usual

NOW = "2026-02-02T02:02:02Z"
SPEC_CHANGES = {
    "gpu.type": "auto",
    "model.id": "meditron-7b",
    "model.quantization": "none",
    "model.contextTokens": 2048,
}
SPEC = spec(SPEC_CHANGES)
A100, L4, T4 = node("A100-80GB"), node("L4"), node("T4")
CORDONED = node("A100-80GB", spec={"unschedulable": True})
ELSEWHERE = spec({**SPEC_CHANGES, "gpu.nodeSelector": {"disk": "none-has-it"}})
READY = pod("ward-0", node="a100-80gb-0")


def case(around: Surroundings, raw: dict[str, Any] = SPEC, generation: int = 3) -> Case:
    verdict = assess(OWNER.name, raw, None, around)
    return replace(usual(), generation=generation, verdict=verdict)


def children(around: Surroundings) -> tuple[Live, ...]:
    verdict: Any = case(around).verdict
    site = Site(operator_namespace=OPERATOR_NAMESPACE, image=verdict.image, stopped=False)
    return tuple(Live.of(each["kind"], stored(each)) for each in desired(OWNER, verdict.sized, site))


def view(*nodes: Node, before: tuple[Node, ...], pods: tuple[Pod, ...] = (READY,), raw: dict[str, Any] = SPEC) -> View:
    """A deployment that was made while `before` was the cluster."""
    cluster = Cluster(children=children(Surroundings(nodes=before)), nodes=nodes, pods=pods, gpu_pods=pods)
    return View(case=case(surroundings(cluster, OWNER), raw), cluster=cluster)


def current(found: View) -> tuple[str, str, str]:
    conditions = summarize(found, {}, NOW)["conditions"]
    (told,) = (item for item in conditions if item["type"] == "PlanCurrent")
    return told["status"], told["reason"], told["message"]


CONDITIONS = [
    ((A100,), (A100,), SPEC, "True Current", "A100-80GB is what would be chosen now"),
    ((A100, L4), (A100,), SPEC, "False BetterChoice",
     "1 x L4 per replica (standard) would be chosen now, not 1 x A100-80GB (standard); to move,"),
    ((A100, L4), (A100,), SPEC, "False BetterChoice", "to move, with a restart, set spec.gpu.type to L4"),
    ((A100, unknown()), (A100,), SPEC, "False BetterChoice", "to move, with a restart, delete StatefulSet ward"),
    ((L4,), (A100,), SPEC, "False CardGone", "no node has A100-80GB any more; L4 would be chosen now"),
    ((), (A100,), SPEC, "False CardGone", "no node has A100-80GB any more"),
    ((CORDONED,), (A100,), SPEC, "False CardBarred",
     "no card would be chosen now, so it stays A100-80GB: no node may be used: a100-80gb-0 is cordoned"),
    ((A100,), (A100,), ELSEWHERE, "False CardBarred", "so it stays A100-80GB: no node may be used: a100-80gb-0"),
    ((A100,), (A100,), spec(), "True Fixed", "spec.gpu.type names A100-80GB"),
    ((A100,), (A100,), {}, "Unknown NotAccepted", "not accepted"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "before", "raw", "verdict", "words"), CONDITIONS, ids=[row[3] for row in CONDITIONS])
def test_the_condition(
    nodes: tuple[Node, ...], before: tuple[Node, ...], raw: dict[str, Any], verdict: str, words: str
) -> None:
    status, reason, message = current(view(*nodes, before=before, raw=raw))
    assert f"{status} {reason}" == verdict
    assert words in message


def test_a_choice_is_told_with_runners_up_and_refusals() -> None:
    cluster = Cluster(nodes=(A100, L4, T4))
    status = summarize(View(case=case(surroundings(cluster, OWNER)), cluster=cluster), {}, NOW)
    told = status["gpuChoice"]
    assert told["gpuType"] == status["plan"]["gpuType"] == "L4"
    assert status["plan"]["summary"] == "1xL4"
    assert [(each["gpuType"], each["gpusPerReplica"], each["profile"]) for each in told["runnersUp"]] == [
        ("A100-80GB", 1, "standard")
    ]
    assert [each["gpuType"] for each in told["refusals"]] == ["T4"]
    assert "weights 12.6 GiB" in told["refusals"][0]["reason"]


def test_a_named_card_has_no_choice_to_tell() -> None:
    cluster = Cluster(nodes=(A100,))
    assert "gpuChoice" not in summarize(View(case=case(surroundings(cluster, OWNER), spec()), cluster=cluster), {}, NOW)


def test_pods_of_others_write_nothing() -> None:
    """The numbers of the choice are those of its moment."""
    stays = view(A100, L4, before=(A100,))
    first = summarize(stays, {}, NOW)
    other = pod(
        "x",
        node="l4-0",
        metadata={"namespace": "x", "name": "x", "uid": "x", "creationTimestamp": "", "ownerReferences": []},
    )
    crowded = Cluster(children=stays.cluster.children, nodes=(A100, L4), pods=(READY,), gpu_pods=(READY, other))
    again = View(case=case(surroundings(crowded, OWNER)), cluster=crowded)
    assert summarize(again, first, NOW)["gpuChoice"] == first["gpuChoice"]
    fresh = summarize(again, {}, NOW)
    assert fresh["gpuChoice"] != first["gpuChoice"], "there was something to tell"


def test_a_changed_spec_is_told_anew() -> None:
    stays = view(A100, before=(A100,))
    first = summarize(stays, {}, NOW) | {"gpuChoice": {"gpuType": "A100-80GB", "reason": "old"}}
    edited = View(case=replace(stays.case, generation=4), cluster=stays.cluster)
    assert summarize(stays, first, NOW)["gpuChoice"]["reason"] == "old"
    assert summarize(edited, first, NOW)["gpuChoice"]["reason"] != "old"


def test_what_runs_keeps_its_choice_while_a_new_spec_is_not_accepted() -> None:
    broken = view(A100, before=(A100,), raw={})
    assert summarize(broken, {"gpuChoice": {"gpuType": "A100-80GB"}}, NOW)["gpuChoice"] == {"gpuType": "A100-80GB"}


def test_a_choice_makes_no_event_but_a_better_one_does() -> None:
    quiet = summarize(view(A100, before=(A100,)), {}, NOW)
    assert "PlanCurrent" not in [change["type"] for change in condition_changes({}, quiet)]
    better = summarize(view(A100, L4, before=(A100,)), quiet, NOW)
    assert [change["reason"] for change in condition_changes(quiet, better)] == ["BetterChoice"]


def test_long_reasons_are_cut() -> None:
    barred = [node("L4", name=f"{'n' * 200}-{number}", spec={"unschedulable": True}) for number in range(9)]
    cluster = Cluster(nodes=(A100, *barred))
    told = summarize(View(case=case(surroundings(cluster, OWNER)), cluster=cluster), {}, NOW)["gpuChoice"]
    assert len(told["refusals"][0]["reason"]) == MOST_WORDS


def test_the_card_is_remembered_beside_the_template_and_put_right() -> None:
    (workload,) = (live for live in children(Surroundings(nodes=(unknown(),))) if live.ref.kind == "StatefulSet")
    annotations = workload.metadata["annotations"]
    remembered = recall(annotations["meditron.ai/gpu"])
    assert remembered is not None
    assert remembered.name == "NVIDIA-RTX-5000-Ada"
    assert "annotations" not in workload.body["spec"]["template"]["metadata"]

    cluster = Cluster(children=children(Surroundings(nodes=(A100,))), nodes=(A100, L4), pods=(READY,))
    for theirs in ({}, {"meditron.ai/gpu": "{}"}):
        tampered = tuple(_annotated(live, theirs) for live in cluster.children)
        seen = replace(cluster, children=tampered)
        (step,) = decide(case(surroundings(seen, OWNER)), seen, {}).workload
        before = next(live for live in cluster.children if live.ref.kind == "StatefulSet")
        assert child([step.manifest], "StatefulSet")["metadata"]["annotations"] == before.metadata["annotations"]  # type: ignore[union-attr]


def test_a_card_that_is_named_again_is_no_longer_remembered() -> None:
    (workload,) = (live for live in children(Surroundings(nodes=(A100,))) if live.ref.kind == "StatefulSet")
    theirs = _annotated(workload, {**workload.metadata["annotations"], "example.com/note": "stays"})
    verdict: Any = case(Surroundings(), spec()).verdict
    site = Site(operator_namespace=OPERATOR_NAMESPACE, image=verdict.image, stopped=False)
    named = child(desired(OWNER, verdict.sized, site), "StatefulSet")
    assert not matches(named, theirs, None)
    assert updated(named, theirs)["metadata"]["annotations"] == {"example.com/note": "stays"}


def _annotated(live: Live, annotations: dict[str, str]) -> Live:
    if live.ref.kind != "StatefulSet":
        return live
    return saying(live, {**live.body, "metadata": {**live.metadata, "annotations": annotations}})
