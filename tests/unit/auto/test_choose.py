"""Which card is chosen: each rule of the ranking, each refusal, and when the choice stays."""

from typing import Any

import pytest

from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.auto import Choice, Surroundings, remember
from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Node, Pod
from meditron_operator.core.spec import SpecError
from tests.unit.auto.nodes import mig_mixed, mig_single, node, unknown
from tests.unit.kit import OWNER, pod, spec, stored
from tests.unit.kit import child as child_of
from tests.unit.kit import children as children_of

SEVENTY = {"model.quantization": "gptq"}
SMALL = {"model.id": "meditron-7b", "model.quantization": "none", "model.contextTokens": 2048}


def surroundings(
    *nodes: Node, pods: tuple[Pod, ...] = (), on: str = "", gpus: int = 4, serving: bool = False
) -> Surroundings:
    """What is there; `on` is the card of the catalog that the deployment is on, with that many GPUs."""
    workload = workload_on(on, gpus=gpus) if on else None
    return Surroundings(nodes=nodes, gpu_pods=pods, workload=workload, serving=serving)


def workload_on(card: str, annotation: str | None = "", gpus: int = 4) -> Live:
    """The StatefulSet of OWNER on that card; `annotation` instead of the right one, None for none."""
    obj = stored(child_of(children_of({"gpu.type": card, "gpu.count": gpus}), "StatefulSet"))
    if annotation is not None:
        obj["metadata"]["annotations"] = {"meditron.ai/gpu": annotation or remember(GPUS[card])}
    return Live.of("StatefulSet", obj)


def verdict(around: Surroundings, changes: dict[str, Any] | None = None) -> Accepted | SpecError:
    return assess(OWNER.name, spec({"gpu.type": "auto", **(changes or {})}), None, around)


def choice(around: Surroundings, changes: dict[str, Any] | None = None) -> Choice:
    found = verdict(around, changes)
    assert isinstance(found, Accepted), found
    assert found.choice is not None
    assert found.sized.demand.gpu == found.choice.gpu
    assert found.sized.plan == found.choice.plan
    return found.choice


def holder(name: str, on: str, gpus: int) -> Pod:
    """Somebody else's pod."""
    return pod(
        name,
        node=on,
        gpus=gpus,
        metadata={"namespace": "other", "name": name, "uid": name, "creationTimestamp": "", "ownerReferences": []},
    )


RANKING = [
    ("room before all", SMALL, (node("A100-80GB"), node("L4")), (holder("x", "l4-0", 1),), "A100-80GB"),
    ("standard before tight", SEVENTY, (node("A100-40GB", 1), node("RTX-4090", 2)), (), "RTX-4090"),
    ("fewest GPUs", SEVENTY, (node("RTX-4090", 2), node("A100-80GB", 1)), (), "A100-80GB"),
    ("least waste", SMALL, (node("A100-80GB"), node("L4"), node("H200-141GB")), (), "L4"),
    ("most free nodes", SMALL, (node("L40S"), node("L40", name="a"), node("L40", name="b")), (), "L40"),
    ("name", SMALL, (node("L40S"), node("L40"), node("A40")), (), "A40"),
    ("a slice where it is enough", SMALL, (node("A100-80GB"), mig_single()), (), "A100-80GB-MIG-3g.40gb"),
    ("a card of its labels", SMALL, (node("A100-80GB"), unknown()), (), "NVIDIA-RTX-5000-Ada"),
    ("room for all replicas", SMALL | {"replicas": 2}, (node("L4"), node("L40", 2)), (), "L40"),
]


@pytest.mark.parametrize(
    ("changes", "nodes", "pods", "expected"), [row[1:] for row in RANKING], ids=[row[0] for row in RANKING]
)
def test_the_first_rule_that_tells_them_apart_decides(
    changes: dict[str, Any], nodes: tuple[Node, ...], pods: tuple[Pod, ...], expected: str
) -> None:
    found = choice(surroundings(*nodes, pods=pods), changes)
    assert found.gpu.name == expected
    assert found.gpu.name in found.reason
    assert not found.kept
    assert found.better is None
    assert choice(surroundings(*reversed(nodes), pods=pods), changes) == found


PLAIN = Node.of({"metadata": {"name": "plain"}, "spec": {}})
REFUSALS = [
    ("does not fit", SEVENTY | {"gpu.count": 1}, (node("L4"),), "DoesNotFit",
     "L4: meditron-70b gptq does not fit on 1 x L4"),
    ("illegal count", {"gpu.count": 3}, (node("L4", 4),), "DoesNotFit", "3 does not divide 64 attention heads"),
    ("too few on a node", SEVENTY, (node("RTX-4090", 1),), "DoesNotFit",
     "RTX-4090: a replica needs 2 x RTX-4090 on one node, and rtx-4090-0 has 1"),
    ("tight would do", SEVENTY, (node("A100-40GB", 1),), "DoesNotFit", "with gpu.count 1 it would fit tightly"),
    ("host memory", SEVENTY, (node("A100-80GB", resources={"memory": "16Gi"}),), "DoesNotFit",
     "a100-80gb-0 has 16.0 GiB of host memory for the"),
    ("disk", SEVENTY, (node("A100-80GB", resources={"ephemeral-storage": "1Gi"}),), "DoesNotFit",
     "1.0 GiB of ephemeral storage for the 8.0 GiB that it takes"),
    ("cpus", SEVENTY, (node("A100-80GB", resources={"cpu": "5500m"}),), "DoesNotFit", "has 5 CPUs for the 6"),
    ("cordoned", SEVENTY, (node("A100-80GB", spec={"unschedulable": True}),), "DoesNotFit",
     "A100-80GB: no node may be used: a100-80gb-0 is cordoned"),
    ("slices are not joined", SEVENTY | {"gpu.count": 2}, (mig_single(count=7),), "DoesNotFit",
     "A100-80GB-MIG-3g.40gb is a slice of a card, which TGI can't join with others"),
    ("shared", SEVENTY, (node("L4", labels={"nvidia.com/gpu.replicas": "4"}),), "DoesNotFit",
     "4 replicas of each card"),
    ("unproven", SMALL, (node("B200"),), "DoesNotFit", "not proven on B200"),
    ("plugin is down", SMALL, (node("L4", resources={"nvidia.com/gpu": "0"}),), "DoesNotFit", "l4-0 has 0"),
    ("no GPUs", SMALL, (PLAIN,), "NoGPUNodes", "no node of the cluster"),
    ("no nodes", SMALL, (), "NoGPUNodes", "spec.gpu.type is auto"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "nodes", "reason", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_a_refusal_says_what_failed(changes: dict[str, Any], nodes: tuple[Node, ...], reason: str, words: str) -> None:
    found = verdict(surroundings(*nodes), changes)
    assert isinstance(found, SpecError)
    assert found.reason == reason
    assert words in found.message


def test_every_refusal_is_told() -> None:
    nodes = (node("T4"), node("V100-32GB"), unknown(memory=None), node("A100-40GB", spec={"unschedulable": True}))
    found = verdict(surroundings(*nodes), SEVENTY)
    assert isinstance(found, SpecError)
    for name in ("T4", "V100-32GB", "NVIDIA-RTX-5000-Ada", "A100-40GB"):
        assert f"{name}: " in found.message


def test_runners_up_and_refusals_are_told_in_order() -> None:
    nodes = (node("T4"), node("RTX-4090", 2), node("L40S"), node("B200"), mig_mixed())
    found = choice(surroundings(*nodes), SEVENTY)
    assert found.gpu.name == "L40S"
    assert [(each.gpu_type, each.gpus_per_replica, each.profile) for each in found.runners_up] == [
        ("A100-80GB", 1, "standard"),
        ("RTX-4090", 2, "standard"),
    ]
    assert [each.gpu_type for each in found.refusals] == ["A100-80GB-MIG-3g.40gb", "B200", "T4"]


def test_the_wanted_count_is_honoured() -> None:
    found = choice(surroundings(node("RTX-4090", 4), node("A100-80GB")), SEVENTY | {"gpu.count": 2})
    assert (found.gpu.name, found.plan.gpus_per_replica) == ("RTX-4090", 2)
    assert "a100-80gb-0 has 1" in found.refusals[0].reason


A100, L4 = node("A100-80GB"), node("L4")
OWN = pod("ward-0", node="a100-80gb-0")
STABILITY = [
    # where it is, serving, nodes, pods, what is expected, kept, what would be better
    ("serving stays although a better one is there", "A100-80GB", True, (A100, L4), (OWN,), ("A100-80GB", True, "L4")),
    ("serving stays although its card is gone", "A100-80GB", True, (L4,), (OWN,), ("A100-80GB", True, "L4")),
    ("serving stays although there are no nodes", "A100-80GB", True, (), (), ("A100-80GB", True, None)),
    ("serving stays although others took its room", "A100-80GB", True, (A100, L4),
     (OWN, holder("x", "a100-80gb-0", 9)), ("A100-80GB", True, "L4")),
    ("waiting stays where there is room", "A100-80GB", False, (A100, L4), (), ("A100-80GB", True, "L4")),
    ("its own pods count as room", "A100-80GB", False, (A100, L4), (OWN,), ("A100-80GB", True, "L4")),
    ("waiting moves to where there is room", "A100-80GB", False, (A100, L4), (holder("x", "a100-80gb-0", 1),),
     ("L4", False, None)),
    ("waiting moves when its card is gone", "A100-80GB", False, (L4,), (), ("L4", False, None)),
    ("waiting stays while nothing has room", "A100-80GB", False, (A100, L4),
     (holder("x", "a100-80gb-0", 1), holder("y", "l4-0", 1)), ("A100-80GB", True, "L4")),
    ("waiting stays while nothing at all will do", "A100-80GB", False, (node("T4", spec={"unschedulable": True}),), (),
     ("A100-80GB", True, None)),
    ("a new one is chosen", "", False, (A100, L4), (), ("L4", False, None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("on", "serving", "nodes", "pods", "expected"), [row[1:] for row in STABILITY], ids=[row[0] for row in STABILITY]
)
def test_only_what_is_not_serving_moves(
    on: str, nodes: tuple[Node, ...], pods: tuple[Pod, ...], expected: tuple[str, bool, str | None], *, serving: bool
) -> None:
    found = choice(surroundings(*nodes, pods=pods, on=on, gpus=1, serving=serving), SMALL)
    assert (found.gpu.name, found.kept, found.better and found.better.gpu_type) == expected
    assert found.gone == (found.gpu.name not in {f"{each.name.removesuffix('-0').upper()}" for each in nodes})


def test_a_changed_spec_moves_what_serves_only_where_it_has_to() -> None:
    around = surroundings(node("L4", 8), A100, on="L4", serving=True)
    assert choice(around, SMALL | {"model.concurrency": 2}).gpu.name == "L4"
    assert choice(around, SEVENTY | {"gpu.count": 1}).gpu.name == "A100-80GB"


def test_new_terms_move_what_serves_when_its_card_has_no_node_on_them() -> None:
    """The pods restart anyway, and on the old card they would wait for ever."""
    here, there = node("A100-80GB", 4), node("L40S", 4, labels={"zone": "x"})
    around = surroundings(here, there, on="A100-80GB", serving=True)
    same = SMALL | {"gpu.count": 4}
    assert choice(around, same).gpu.name == "A100-80GB"
    for changes in ({"gpu.nodeSelector": {"zone": "x"}}, {"gpu.nodeSelector": {"zone": "x"}, "gpu.count": 2}):
        assert choice(around, same | changes).gpu.name == "L40S"
    cordoned = node("A100-80GB", 4, spec={"unschedulable": True})
    around = surroundings(cordoned, there, on="A100-80GB", serving=True)
    assert choice(around, same).gpu.name == "A100-80GB"
    assert choice(around, same | {"gpu.count": 2}).gpu.name == "L40S"
    assert choice(around, same | {"gpu.tolerations": [{"operator": "Exists"}]}).gpu.name == "L40S"


@pytest.mark.parametrize("annotation", [None, "{}", "not json", '{"name":"L4"}', "[]", "null"])
def test_without_its_annotation_the_card_of_its_pods_is_kept(annotation: str | None) -> None:
    around = Surroundings(nodes=(A100, L4), workload=workload_on("A100-80GB", annotation), serving=True)
    found = choice(around, SMALL)
    assert (found.gpu, found.kept) == (GPUS["A100-80GB"], True)


def test_a_workload_that_somebody_broke_is_no_reason_to_fail() -> None:
    for spec_ in ({}, {"template": None}, {"template": {"spec": {"affinity": None}}}):
        live = Live.of("StatefulSet", {"metadata": {"name": "ward", "uid": "u", "resourceVersion": "1"}, "spec": spec_})
        assert choice(Surroundings(nodes=(L4,), workload=live), SMALL).gpu.name == "L4"


def test_what_serves_keeps_its_facts_and_what_waits_takes_the_new_ones() -> None:
    told_less = node("A100-80GB", labels={"nvidia.com/gpu.memory": "60000"})
    serving = choice(surroundings(told_less, on="A100-80GB", serving=True), SMALL)
    waiting = choice(surroundings(told_less, on="A100-80GB"), SMALL)
    assert serving.gpu == GPUS["A100-80GB"]
    assert (waiting.gpu.memory_mib, waiting.kept) == (60_000, True)
