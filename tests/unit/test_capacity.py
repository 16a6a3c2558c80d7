"""Free GPUs, and what is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.capacity import free_gpus, matching_nodes, shortage
from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.observed import Node, Pod
from tests.unit.kit import node, pod

RESOURCE = "nvidia.com/gpu"


def test_a_pod_holds_its_gpus_until_it_is_finished() -> None:
    nodes = [node("a", gpus=8), node("b", gpus=8)]
    pods = [
        pod("one", node="a", gpus=3),
        pod("two", node="a", gpus=4, metadata={"deletionTimestamp": "t"}),
        pod("done", node="a", gpus=8, status={"phase": "Succeeded"}),
        pod("waiting", node=None, gpus=8),
    ]
    assert free_gpus(nodes, pods, RESOURCE) == {"a": 1, "b": 8}


def test_a_cordoned_node_offers_none() -> None:
    assert free_gpus([node(unschedulable=True)], [], RESOURCE) == {}


def test_only_nodes_with_this_card_and_the_asked_labels_count() -> None:
    nodes = [
        node("right"),
        node("other card", product="NVIDIA-L4"),
        Node.of({"metadata": {"name": "bare"}, "spec": {}}),
    ]
    assert [found.name for found in matching_nodes(nodes, GPUS["A100-80GB"], {})] == ["right"]
    assert matching_nodes(nodes, GPUS["A100-80GB"], {"zone": "x"}) == []


def test_holders_are_named_most_gpus_first() -> None:
    pods = [pod("small", gpus=1), pod("big", gpus=4), pod("elsewhere", node="other", gpus=8)]
    lack = shortage([node(gpus=5)], pods, RESOURCE, waiting=1, gpus_each=1)
    assert lack.holders == ("clinical-ai/big (4)", "clinical-ai/small (1)")
    assert (lack.missing, lack.total, lack.free) == (1, 5, {})


def test_scattered_gpus_help_nobody() -> None:
    lack = shortage([node("a", gpus=2), node("b", gpus=2)], [], RESOURCE, waiting=1, gpus_each=4)
    assert lack.missing == 2
    assert lack.free == {"a": 2, "b": 2}


@pytest.mark.parametrize("waiting", [1, 3])
def test_without_nodes_all_is_missing(waiting: int) -> None:
    assert shortage([], [], RESOURCE, waiting=waiting, gpus_each=2).missing == 2 * waiting


SIZES = st.lists(st.integers(0, 8), max_size=6)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Node], list[Pod]]:
    """Nodes and pods on them; pods may hold more than a node has, as after a card broke."""
    nodes = [node(f"n{number}", gpus=size) for number, size in enumerate(draw(SIZES))]
    places = [*(found.name for found in nodes), "gone", None]
    held = draw(st.lists(st.tuples(st.sampled_from(places), st.integers(1, 8)), max_size=6))
    return nodes, [pod(f"p{number}", node=where, gpus=size) for number, (where, size) in enumerate(held)]


@given(clusters())
def test_free_is_never_negative_and_never_more_than_there_is(given_: tuple[list[Node], list[Pod]]) -> None:
    nodes, pods = given_
    free = free_gpus(nodes, pods, RESOURCE)
    for found in nodes:
        assert 0 <= free[found.name] <= found.gpus[RESOURCE]


@given(clusters(), st.integers(1, 5), st.integers(1, 8))
def test_nothing_is_missing_exactly_when_all_can_be_placed(
    given_: tuple[list[Node], list[Pod]], waiting: int, each: int
) -> None:
    """For pods of one size, filling node by node is as good as any other way."""
    nodes, pods = given_
    room = sum(count // each for count in free_gpus(nodes, pods, RESOURCE).values())
    lack = shortage(nodes, pods, RESOURCE, waiting=waiting, gpus_each=each)
    assert (lack.missing == 0) == (room >= waiting)
    assert 0 <= lack.missing <= waiting * each


@given(clusters(), st.integers(1, 5), st.integers(1, 8))
def test_one_more_pod_never_lacks_less(given_: tuple[list[Node], list[Pod]], waiting: int, each: int) -> None:
    nodes, pods = given_
    fewer = shortage(nodes, pods, RESOURCE, waiting=waiting, gpus_each=each)
    assert fewer.missing <= shortage(nodes, pods, RESOURCE, waiting=waiting + 1, gpus_each=each).missing
