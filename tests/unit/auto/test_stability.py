"""Laws: whatever the nodes say, what serves is not touched, and nothing that a label can hold ends the operator."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.auto import Surroundings
from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Node, Pod
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import Manifest
from tests.unit.auto.nodes import mig_mixed, mig_single, node, unknown
from tests.unit.kit import HOST, OPERATOR_NAMESPACE, OWNER, child, pod, spec, stored

SPEC = spec({"gpu.type": "auto", "model.id": "meditron-7b", "model.quantization": "none", "model.contextTokens": 2048})
STARTS = [node("A100-80GB", 2), node("L4"), mig_single(), mig_mixed(whole=0), unknown(2)]

LABEL_VALUES = st.one_of(
    st.from_regex(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", fullmatch=True),
    st.sampled_from(["0", "1", "40448", "NVIDIA-L4", "NVIDIA-L4-SHARED", "NVIDIA-A100-SXM4-80GB-MIG-3g.40gb", "none"]),
)
LABEL_KEYS = st.sampled_from(
    [
        "nvidia.com/gpu.product",
        "nvidia.com/gpu.memory",
        "nvidia.com/gpu.replicas",
        "nvidia.com/gpu.sharing-strategy",
        "nvidia.com/gpu.compute.major",
        "nvidia.com/gpu.compute.minor",
        "nvidia.com/mig-3g.40gb.memory",
        "amd.com/gpu.product-name",
    ]
)
RESOURCES = st.dictionaries(
    st.sampled_from(["nvidia.com/gpu", "nvidia.com/mig-3g.40gb", "amd.com/gpu", "memory", "cpu"]),
    st.sampled_from(["0", "1", "4", "1k", "2M", "64Gi"]),
)
TAINTS = st.lists(st.just({"key": "team", "value": "a", "effect": "NoSchedule"}), max_size=1)


@st.composite
def any_node(draw: st.DrawFn) -> Node:
    """From a catalog node to one whose labels somebody made up."""
    name = draw(st.sampled_from([f"node-{number}" for number in range(4)]))
    if draw(st.booleans()):
        return node(draw(st.sampled_from(sorted(GPUS))), draw(st.integers(0, 16)), name)
    return Node.of(
        {
            "metadata": {"name": name, "labels": draw(st.dictionaries(LABEL_KEYS, LABEL_VALUES))},
            "spec": {"unschedulable": draw(st.booleans()), "taints": draw(TAINTS)},
            "status": {"allocatable": {**HOST, **draw(RESOURCES)}},
        }
    )


NODES = st.lists(any_node(), max_size=5, unique_by=lambda each: each.name).map(tuple)
PODS = st.lists(
    st.builds(lambda number, gpus: pod(f"other-{number}", node=f"node-{number}", gpus=gpus),
              st.integers(0, 3), st.integers(0, 16)),
    max_size=4, unique_by=lambda each: each.uid,
).map(tuple)  # fmt: skip


def rendered(around: Surroundings, raw: dict[str, Any] = SPEC) -> list[Manifest]:
    verdict = assess(OWNER.name, raw, None, around)
    assert isinstance(verdict, Accepted), verdict
    return desired(
        OWNER, verdict.sized, Site(operator_namespace=OPERATOR_NAMESPACE, image=verdict.image, stopped=False)
    )


def workload(children: list[Manifest]) -> Live:
    return Live.of("StatefulSet", stored(child(children, "StatefulSet")))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(STARTS), NODES, PODS)
def test_what_serves_is_rendered_the_same_whatever_the_nodes_say(
    start: Node, nodes: tuple[Node, ...], pods: tuple[Pod, ...]
) -> None:
    before = rendered(Surroundings(nodes=(start,)))
    after = Surroundings(nodes=nodes, gpu_pods=pods, workload=workload(before), serving=True)
    assert rendered(after) == before


@settings(max_examples=150, deadline=None)
@given(NODES, PODS)
def test_the_second_look_keeps_the_first_choice(nodes: tuple[Node, ...], pods: tuple[Pod, ...]) -> None:
    """Also before anything serves: a pass that changes nothing writes nothing."""
    first = assess(OWNER.name, SPEC, None, Surroundings(nodes=nodes, gpu_pods=pods))
    if not isinstance(first, Accepted):
        return
    before = rendered(Surroundings(nodes=nodes, gpu_pods=pods))
    again = Surroundings(nodes=nodes, gpu_pods=pods, workload=workload(before))
    assert rendered(again) == before


@settings(max_examples=150, deadline=None)
@given(NODES, PODS, st.randoms())
def test_the_order_of_nodes_and_pods_does_not_matter(
    nodes: tuple[Node, ...], pods: tuple[Pod, ...], random: Any
) -> None:
    shuffled, others = list(nodes), list(pods)
    random.shuffle(shuffled)
    random.shuffle(others)
    straight = assess(OWNER.name, SPEC, None, Surroundings(nodes=nodes, gpu_pods=pods))
    assert straight == assess(OWNER.name, SPEC, None, Surroundings(nodes=tuple(shuffled), gpu_pods=tuple(others)))
