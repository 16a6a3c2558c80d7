"""Over how many GPUs a model can be spread."""

from dataclasses import replace

import pytest

from meditron_operator.core.catalog.quantization import Quantization
from meditron_operator.core.sizing import RefusalReason, legal_shard_counts
from meditron_operator.core.sizing.shards import why_illegal
from tests.unit.sizing.asking import demand, packing, refused, stored


@pytest.mark.parametrize(
    ("model", "plain", "grouped"),
    [
        ("meditron-7b", (1, 2, 4, 8, 16, 32), (1, 2)),
        ("llama-2-7b", (1, 2, 4, 8, 16, 32), (1, 2)),
        ("meditron-70b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("llama-2-70b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("meditron3-8b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("meditron3-70b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("biomistral-7b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("pmc-llama-13b", (1, 2, 4, 8), (1, 2, 4)),
    ],
)
def test_legal_shard_counts(model: str, plain: tuple[int, ...], grouped: tuple[int, ...]) -> None:
    for quantization in Quantization:
        expected = grouped if quantization in {Quantization.GPTQ, Quantization.AWQ} else plain
        assert legal_shard_counts(stored(model, quantization)) == expected


@pytest.mark.parametrize("count", [-1, 0])
def test_no_gpu_is_no_count(count: int) -> None:
    asked = replace(demand("meditron-7b none 1 L4", 2_048), gpus=count)
    assert refused(asked).refusals[0].reason is RefusalReason.ILLEGAL_SHARD_COUNT


NARROW = {"num_attention_heads": 16, "num_key_value_heads": 2, "head_dim": 16, "hidden_size": 256}


@pytest.mark.parametrize(
    ("quantization", "shape", "gpus", "says"),
    [
        ("none", {}, 0, "cannot run on 0 GPUs: at least one GPU is needed"),
        ("none", {"num_key_value_heads": 4}, 8, "8 does not divide 4 key-value heads"),
        ("none", {"intermediate_size": 28_676}, 8, "8 does not divide 28,676 MLP columns"),
        ("gptq", NARROW, 2, "Marlin has no tiles for a shard of 256 x 160 (multiples of 128 x 64 or 64 x 128)"),
        ("gptq", {"intermediate_size": 11_000}, 1, ": 11,000 is no multiple of the group of 128"),
        ("gptq", {"intermediate_size": 512}, 8, ": 512 / 8 = 64 is no multiple of the group of 128"),
    ],
)
def test_the_rule_that_is_broken_is_named(quantization: str, shape: dict[str, int], gpus: int, says: str) -> None:
    asked = stored("meditron-70b", quantization, gpus=gpus)
    asked = replace(asked, model=replace(asked.model, **shape))  # type: ignore[arg-type]
    (only,) = refused(asked).refusals
    assert only.message.endswith(says)


def test_outputs_are_cut_for_columns_and_inputs_for_rows() -> None:
    asked = stored("meditron-70b", "gptq")
    assert legal_shard_counts(replace(asked, model=replace(asked.model, **NARROW))) == (1,)  # type: ignore[arg-type]
    wide = NARROW | {"num_key_value_heads": 4}  # (16 + 8) x 16 / 2 = 192 = 3 x 64
    assert legal_shard_counts(replace(asked, model=replace(asked.model, **wide))) == (1, 2)  # type: ignore[arg-type]


def test_two_groups_do_not_divide_by_four() -> None:
    packed = packing(symmetric=False, group_size=14_336)
    asked = replace(stored("meditron-70b", "gptq", packing=packed), gpus=4)
    assert "4 does not divide 2 groups of 14336" in refused(asked).message


def test_no_count_above_the_kv_heads_is_legal() -> None:
    for quantization in Quantization:
        asked = stored("meditron3-70b", quantization)
        assert max(legal_shard_counts(asked)) == asked.model.num_key_value_heads
        assert why_illegal(asked, 16) is not None
