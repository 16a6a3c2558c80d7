"""Memory of LoRA adapters."""

from dataclasses import replace

import pytest

from meditron_operator.core.catalog.quantization import FACTS, Quantization
from meditron_operator.core.sizing import Adapters, RefusalReason, plan, weight_bytes
from meditron_operator.core.sizing.adapters import padded_rank
from tests.unit.sizing.asking import demand, fitting, refused, stored


@pytest.mark.parametrize(
    ("model", "megabytes"),
    [("meditron-70b", 414.2), ("meditron3-8b", 83.9), ("meditron-7b", 80.0)],  # derived from TGI's shapes at rank 16
)
def test_one_adapter_of_rank_16(model: str, megabytes: float) -> None:
    asked = stored(model, "none")
    more = weight_bytes(replace(asked, adapters=Adapters(count=1, rank=16))) - weight_bytes(asked)
    assert more / 1e6 == pytest.approx(megabytes, abs=0.1)


def test_adapters_add_up_and_are_cut() -> None:
    asked = stored("meditron-70b", "none")
    one, three = (
        weight_bytes(replace(asked, adapters=Adapters(count=count, rank=64)), 4) - weight_bytes(asked, 4)
        for count in (1, 3)
    )
    whole = weight_bytes(replace(asked, adapters=Adapters(count=1, rank=64))) - weight_bytes(asked)
    assert three == 3 * one
    assert whole == 4 * one


@pytest.mark.parametrize(
    ("rank", "shards", "padded"),
    [(1, 1, 16), (8, 1, 16), (16, 1, 16), (17, 1, 32), (8, 4, 32), (8, 8, 64), (64, 8, 64)],
)
def test_ranks_are_padded_for_the_kernels(rank: int, shards: int, padded: int) -> None:
    assert padded_rank(rank, shards) == padded


@pytest.mark.parametrize("quantization", Quantization)
def test_adapters_need_a_base_that_takes_them(quantization: Quantization) -> None:
    asked = demand(f"meditron-7b {quantization} 1 A100-80GB", 2_048, adapters=Adapters(count=2, rank=16))
    if FACTS[quantization].adapters_allowed:
        assert fitting(asked).kv_capacity_tokens < fitting(replace(asked, adapters=None)).kv_capacity_tokens
    else:
        assert refused(asked).refusals[0].reason is RefusalReason.ADAPTERS_UNSUPPORTED
        assert "use none, eetq or bitsandbytes" in refused(asked).message


def test_adapters_can_be_what_no_longer_fits() -> None:
    asked = demand("meditron-7b none 1 L4", 2_048, 4)
    fitting(asked)
    assert not isinstance(plan(replace(asked, adapters=Adapters(count=40, rank=64))), type(fitting(asked)))


@pytest.mark.parametrize(("count", "rank"), [(0, 16), (-1, 16), (1, 0)])
def test_no_adapters_are_no_adapters(count: int, rank: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Adapters(count=count, rank=rank)


def test_the_smallest_adapter_is_one_of_rank_one() -> None:
    assert Adapters(count=1, rank=1).rank == 1
