"""From nodes to cards: every kind that GPU feature discovery can tell of, and what it may fail to tell."""

import pytest

from meditron_operator.core.auto import Terms, market
from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.observed import Node
from meditron_operator.core.spec import Toleration
from tests.unit.auto.nodes import A100_PRODUCT, mig_mixed, mig_single, node, unknown

MIB = 2**20


def offered(*nodes: Node, terms: Terms | None = None) -> dict[str, tuple[str, ...]]:
    """Names of the cards on offer, each with the nodes that may be used."""
    found = market(nodes, terms or Terms())
    return {offer.gpu.name: tuple(each.name for each in offer.nodes) for offer in found.offers}


def refused(*nodes: Node) -> dict[str, str]:
    return {each.gpu_type: each.reason for each in market(nodes, Terms()).refusals}


@pytest.mark.parametrize("card", GPUS)
def test_every_card_of_the_table_is_offered_as_its_row(card: str) -> None:
    found = market([node(card)], Terms())
    assert [offer.gpu for offer in found.offers] == [GPUS[card]]
    assert found.refusals == ()


def test_no_nodes_offer_nothing() -> None:
    assert (offered(), refused()) == ({}, {})
    assert offered(Node.of({"metadata": {"name": "plain"}, "spec": {}})) == {}


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ("81920", GPUS["A100-80GB"].cuda_total_bytes),
        ("99999", GPUS["A100-80GB"].cuda_total_bytes),  # more than the table: the table
        ("81251", 81_251 * MIB * 965 // 1000),  # an older driver, or ECC
        (None, GPUS["A100-80GB"].cuda_total_bytes),
        ("lots", GPUS["A100-80GB"].cuda_total_bytes),
    ],
)
def test_the_label_beats_the_table_when_it_says_less(memory: str | None, expected: int) -> None:
    (offer,) = market([node("A100-80GB", labels={"nvidia.com/gpu.memory": memory})], Terms()).offers
    assert offer.gpu.cuda_total_bytes == expected


def test_the_node_that_says_least_sizes_the_card() -> None:
    nodes = [node("L4", name="a"), node("L4", name="b", labels={"nvidia.com/gpu.memory": "20000"})]
    for order in (nodes, nodes[::-1]):
        (offer,) = market(order, Terms()).offers
        assert offer.gpu.cuda_total_bytes == 20_000 * MIB * 965 // 1000
        assert [each.name for each in offer.nodes] == ["a", "b"]


def test_slices_of_equal_size_look_like_cards() -> None:
    (offer,) = market([mig_single()], Terms()).offers
    assert offer.gpu.name == "A100-80GB-MIG-3g.40gb"
    assert offer.gpu.products == (f"{A100_PRODUCT}-MIG-3g.40gb",)
    assert (offer.gpu.sliced, offer.gpu.resource_name, offer.gpu.compute_capability) == (True, "nvidia.com/gpu", (8, 0))
    assert offer.gpu.cuda_total_bytes == 40_448 * MIB * 965 // 1000


def test_slices_beside_whole_cards_have_a_resource_of_their_own() -> None:
    whole, cut = market([mig_mixed()], Terms()).offers
    assert whole.gpu == GPUS["A100-80GB"]
    assert (cut.gpu.name, cut.gpu.resource_name) == ("A100-80GB-MIG-3g.40gb", "nvidia.com/mig-3g.40gb")
    assert (cut.gpu.sliced, cut.gpu.products, cut.gpu.taint_key) == (True, (A100_PRODUCT,), "nvidia.com/gpu")


def test_a_card_that_is_not_in_the_table_is_sized_by_its_labels() -> None:
    (offer,) = market([unknown()], Terms()).offers
    assert (offer.gpu.name, offer.gpu.memory_mib, offer.gpu.compute_capability) == (
        "NVIDIA-RTX-5000-Ada",
        32_760,
        (8, 9),
    )
    assert offer.gpu.cuda_total_bytes == 32_760 * MIB * 965 // 1000
    assert (offer.gpu.products, offer.gpu.sliced, offer.gpu.unproven) == (("NVIDIA-RTX-5000-Ada",), False, False)


def test_an_unknown_blackwell_is_as_unproven_as_the_known_one() -> None:
    (offer,) = market([unknown(compute_major="12", compute_minor="0")], Terms()).offers
    assert offer.gpu.unproven


REFUSALS = [
    ("time-sliced", node("L4", labels={"nvidia.com/gpu.product": "NVIDIA-L4-SHARED", "nvidia.com/gpu.replicas": "4"}),
     "NVIDIA-L4-SHARED", "(4 replicas of each card)"),
    ("time-sliced, renamed", node("L4", labels={"nvidia.com/gpu.replicas": "2"}), "NVIDIA-L4", "time slicing"),
    ("MPS", node("L4", labels={"nvidia.com/gpu.sharing-strategy": "mps"}), "NVIDIA-L4", "MPS"),
    ("suffix only", node("L4", labels={"nvidia.com/gpu.product": "NVIDIA-L4-SHARED"}), "NVIDIA-L4-SHARED", "shared"),
    ("shared slices", mig_mixed(sharing_strategy="time-slicing", replicas="3"), "A100-80GB-MIG-3g.40gb", "3 replicas"),
    ("no memory", unknown(memory=None), "NVIDIA-RTX-5000-Ada", "no label nvidia.com/gpu.memory"),
    ("no major", unknown(compute_major=None), "NVIDIA-RTX-5000-Ada", "no label nvidia.com/gpu.compute.major"),
    ("no minor", unknown(compute_minor=None), "NVIDIA-RTX-5000-Ada", "no label nvidia.com/gpu.compute.minor"),
    ("memory in words", unknown(memory="32GB"), "NVIDIA-RTX-5000-Ada", "nvidia.com/gpu.memory is '32GB'"),
    ("no memory at all", unknown(memory="0"), "NVIDIA-RTX-5000-Ada", "is '0'"),
    ("absurd memory", unknown(memory="9" * 63), "NVIDIA-RTX-5000-Ada", "is '999"),
    ("slice without memory", mig_mixed(memory=None), "A100-80GB-MIG-3g.40gb", "no label nvidia.com/mig-3g.40gb.memory"),
    ("broken MIG", mig_single("INVALID", memory="0"), f"{A100_PRODUCT}-MIG-INVALID", "nvidia.com/gpu.memory is '0'"),
    ("no product", node("L4", labels={"nvidia.com/gpu.product": None}), "nvidia.com/gpu", "l4-0 has no label nvidia"),
    ("no AMD product", node("MI300X", labels={"amd.com/gpu.product-name": None}), "amd.com/gpu", "node labeller"),
    ("unknown AMD", node("MI300X", labels={"amd.com/gpu.product-name": "MI999"}), "MI999", "not in the table"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "name", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_what_cannot_be_sized_is_refused_with_its_reason(found: Node, name: str, words: str) -> None:
    assert words in refused(found)[name]
    assert name not in offered(found)


TAINT = {"key": "team", "value": "a", "effect": "NoSchedule"}
BARRED = [
    ({"unschedulable": True}, "l4-0 is cordoned"),
    ({"taints": [TAINT]}, "l4-0 has the taint team=a:NoSchedule"),
    ({"taints": [TAINT | {"effect": "NoExecute"}]}, "l4-0 has the taint team=a:NoExecute"),
    ({"taints": [{"key": "nvidia.com/gpu", "effect": "NoExecute"}]}, "l4-0 has the taint nvidia.com/gpu:NoExecute"),
    ({"taints": [TAINT | {"effect": "PreferNoSchedule"}]}, None),
    ({"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]}, None),
]


@pytest.mark.parametrize(("spec", "why"), BARRED)
def test_nodes_that_a_pod_may_not_go_to_do_not_count(spec: dict[str, object], why: str | None) -> None:
    (offer,) = market([node("L4", spec=spec)], Terms()).offers
    assert (len(offer.nodes), offer.barred) == ((1, ()) if why is None else (0, (why,)))


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (Toleration(key="team", value="a"), True),
        (Toleration(key="team", operator="Exists"), True),
        (Toleration(operator="Exists"), True),
        (Toleration(key="team", value="a", effect="NoSchedule"), True),
        (Toleration(key="team", value="b"), False),
        (Toleration(key="other", operator="Exists"), False),
        (Toleration(key="team", value="a", effect="NoExecute"), False),
    ],
)
def test_tolerations_count_as_for_the_scheduler(toleration: Toleration, *, tolerated: bool) -> None:
    terms = Terms(tolerations=(toleration,))
    assert offered(node("L4", spec={"taints": [TAINT]}), terms=terms) == {"L4": ("l4-0",) if tolerated else ()}


def test_only_nodes_with_the_asked_labels_count() -> None:
    nodes = [node("L4", name="a", labels={"zone": "x"}), node("L4", name="b")]
    (offer,) = market(nodes, Terms(node_selector={"zone": "x"})).offers
    assert ([each.name for each in offer.nodes], offer.barred) == (["a"], ("b has no label zone=x",))


def test_a_card_whose_device_plugin_is_down_is_still_known() -> None:
    (offer,) = market([node("L4", resources={"nvidia.com/gpu": "0"})], Terms()).offers
    assert offer.gpu.name == "L4"
