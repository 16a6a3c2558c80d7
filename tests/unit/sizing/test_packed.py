"""Checkpoints of gptq and awq as they are published: groups, act-order, asymmetry, bits."""

from dataclasses import replace
from typing import Any

import pytest

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.catalog.quantization import Packing, Quantization
from meditron_operator.core.sizing import (
    RefusalReason,
    WeightFiles,
    checkpoint_bytes,
    legal_shard_counts,
    weight_bytes,
)
from meditron_operator.core.sizing.kernels import Kernel, kernel_of
from meditron_operator.core.sizing.memory import activation_bytes, weights_of
from tests.unit.sizing.asking import GIB, demand, fitting, packing, refused, stored

LAYERS, HIDDEN, WIDE = 80, 8_192, 28_672
LINEARS = 68_451_041_280  # weights of all linears of 70B
OUTPUTS = 10_240 + 2 * WIDE + 2 * HIDDEN  # of one layer: q+k+v, gate+up, o, down


@pytest.mark.parametrize(
    ("group", "gigabytes"),
    [(128, 36.64), (32, 40.65), (None, 35.3)],  # the branches of TheBloke/meditron-70B-GPTQ, as the Hub lists them
)
def test_checkpoint_of_each_published_gptq_branch(group: int | None, gigabytes: float) -> None:
    asked = stored("meditron-70b", "gptq", packing=packing(group_size=group, act_order=True))
    assert checkpoint_bytes(asked) / 1e9 == pytest.approx(gigabytes, abs=0.02)


def size(shards: int = 1, card: str = "A100-80GB", quantization: str = "gptq", **changes: Any) -> int:
    asked = stored("llama-2-70b", quantization, card, packing=packing(quantization, **changes))
    return weights_of(asked, shards).linears


def test_scales_of_smaller_groups_cost_memory() -> None:
    assert size(group_size=32) - size(group_size=128) == LINEARS * 2 // 32 - LINEARS * 2 // 128


def test_one_group_a_column_has_one_scale_an_output() -> None:
    assert size(group_size=None) == LINEARS // 2 + LAYERS * OUTPUTS * 2


def test_eight_bits_take_twice_the_weights_and_the_same_scales() -> None:
    assert size(bits=8) - size(bits=4) == LINEARS // 2


def test_asymmetric_gptq_keeps_its_zeros_and_indices() -> None:
    rows = LAYERS * (2 * HIDDEN + HIDDEN + WIDE)  # inputs of the four fused linears
    assert size(symmetric=False) - size() == LINEARS // 256 + 4 * rows
    assert size(card="T4") == size(symmetric=False), "Triton keeps them too"
    assert size(card="MI300X") == size(symmetric=False), "and so does ExLlamaV2"


def test_awq_without_zero_points_is_as_small_as_symmetric_gptq() -> None:
    assert size(quantization="awq", symmetric=True) == size()
    assert size(quantization="awq") - size() == LINEARS // 256


def test_act_order_puts_whole_scales_of_row_shards_on_every_gpu() -> None:
    rows = (HIDDEN + WIDE) // 128 * HIDDEN * 2 * LAYERS  # scales of o and down
    order = LAYERS * 8  # bytes a row of the sorted index and its permutation
    for shards in (1, 2, 4, 8):
        more = size(shards, act_order=True) - size(shards)
        assert more == rows - rows // shards + order * (2 * HIDDEN + (HIDDEN + WIDE) // shards)


def test_one_group_a_column_is_whole_on_every_gpu_too() -> None:
    row_scales = 2 * HIDDEN * 2 * LAYERS
    assert size(4, group_size=None) == (size(group_size=None) - row_scales) // 4 + row_scales


def test_exllama_sets_scratch_aside_for_the_largest_linear() -> None:
    asked = stored("llama-2-70b", "gptq", packing=packing(symmetric=False))
    plain = activation_bytes(stored("llama-2-70b", "gptq"), 2, 4_096)
    outputs = 2 * WIDE // 2
    assert activation_bytes(asked, 2, 4_096) - plain == 2 * HIDDEN * outputs + 4 * outputs * 4_096 + 256
    triton = stored("llama-2-70b", "gptq", packing=packing(symmetric=False, act_order=True))
    assert activation_bytes(triton, 2, 4_096) == plain


KERNELS = [
    ("gptq", "A100-80GB", {}, Kernel.MARLIN),
    ("gptq", "A100-80GB", {"bits": 8}, Kernel.MARLIN),
    ("gptq", "A100-80GB", {"group_size": 32, "act_order": True}, Kernel.MARLIN),
    ("gptq", "A100-80GB", {"group_size": 64}, Kernel.MARLIN),
    ("gptq", "A100-80GB", {"group_size": None}, Kernel.MARLIN),
    ("gptq", "A100-80GB", {"group_size": 256}, Kernel.EXLLAMA),
    ("gptq", "A100-80GB", {"group_size": 256, "act_order": True}, Kernel.TRITON),
    ("gptq", "A100-80GB", {"symmetric": False}, Kernel.EXLLAMA),
    ("gptq", "A100-80GB", {"symmetric": False, "bits": 8}, Kernel.TRITON),
    ("gptq", "A100-80GB", {"bits": 2}, Kernel.TRITON),
    ("gptq", "A100-80GB", {"bits": 3}, None),
    ("gptq", "T4", {}, Kernel.TRITON),
    ("gptq", "MI300X", {}, Kernel.EXLLAMA),
    ("gptq", "MI300X", {"act_order": True}, Kernel.TRITON),
    ("awq", "A100-80GB", {}, Kernel.MARLIN),
    ("awq", "A100-80GB", {"symmetric": True}, Kernel.MARLIN),
    ("awq", "A100-80GB", {"group_size": 256}, None),
    ("awq", "A100-80GB", {"bits": 3}, None),
    ("awq", "T4", {}, None),
]


@pytest.mark.parametrize(("quantization", "card", "changes", "kernel"), KERNELS)
def test_kernel(quantization: str, card: str, changes: dict[str, Any], kernel: Kernel | None) -> None:
    assert kernel_of(Quantization(quantization), packing(quantization, **changes), GPUS[card]) is kernel


@pytest.mark.parametrize("quantization", ["gptq", "awq"])
def test_a_packing_that_nothing_runs_is_refused_in_words(quantization: str) -> None:
    odd = packing(quantization, bits=3, group_size=None, act_order=True)
    answer = refused(demand(f"meditron-70b {quantization} any A100-80GB", packing=odd))
    assert answer.refusals[0].reason is RefusalReason.PACKING_UNSUPPORTED
    assert "3 bit, one group a column, act-order" in answer.message


def test_the_usual_packing_is_what_is_taken_when_none_is_given() -> None:
    for quantization in ("gptq", "awq"):
        asked = demand(f"meditron-70b {quantization} any L40S")
        assert fitting(asked) == fitting(replace(asked, packing=packing(quantization)))


def test_a_packing_without_quantized_weights_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="gptq and awq only, not for eetq"):
        stored("meditron-7b", "eetq", packing=packing())


@pytest.mark.parametrize(
    ("model", "changes", "card", "counts"),
    [
        ("meditron-7b", {}, "L4", (1, 2)),
        ("meditron-7b", {"group_size": 64}, "L4", (1, 2, 4)),  # 11,008 / 4 = 2,752 = 43 x 64
        ("meditron-7b", {"group_size": 32}, "L4", (1, 2, 4)),  # 11,008 / 8 = 1,376 fits no tile
        ("meditron-7b", {"group_size": None}, "L4", (1, 2, 4)),
        ("meditron-7b", {"act_order": True}, "L4", (1, 2)),
        ("meditron-7b", {"symmetric": False}, "L4", (1, 2)),  # 86 groups
        ("meditron-7b", {"symmetric": False, "act_order": True}, "L4", (1, 2, 4, 8, 16, 32)),
        ("meditron-7b", {"symmetric": False, "group_size": None}, "L4", (1, 2, 4, 8, 16, 32)),
        ("meditron-7b", {"symmetric": False, "bits": 2, "act_order": True}, "L4", (1, 2, 4, 8, 16)),
        ("pmc-llama-13b", {"group_size": 256, "act_order": True}, "L4", (1, 2, 4, 8)),
        ("meditron-70b", {"act_order": True}, "L4", (1, 2, 4, 8)),
    ],
)
def test_legal_shard_counts(model: str, changes: dict[str, Any], card: str, counts: tuple[int, ...]) -> None:
    assert legal_shard_counts(stored(model, "gptq", card, packing=packing(**changes))) == counts


@pytest.mark.parametrize(
    ("changes", "gpus", "says"),
    [
        ({}, 4, "11,008 / 4 = 2,752 is no multiple of the group of 128"),
        ({"group_size": 32}, 8, "Marlin has no tiles for a shard of 1,376 x 4,096"),
        ({"symmetric": False}, 4, "4 does not divide 86 groups of 128"),
        (
            {"symmetric": False, "bits": 2, "act_order": True},
            32,
            "11,008 / 32 = 344 is no multiple of the 16 weights of an int32",
        ),
    ],
)
def test_why_a_count_is_illegal(changes: dict[str, Any], gpus: int, says: str) -> None:
    answer = refused(demand(f"meditron-7b gptq {gpus} L4", 2_048, packing=packing(**changes)))
    assert answer.refusals[0].reason is RefusalReason.ILLEGAL_SHARD_COUNT
    assert says in answer.message


def test_odd_shapes_that_no_tile_fits_are_refused_even_on_one_gpu() -> None:
    odd = stored("meditron-7b", "gptq", "L4")
    odd = replace(odd, gpus=1, model=replace(odd.model, intermediate_size=11_000))
    assert "11,000 is no multiple of the group of 128" in refused(odd).message


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "4 bit, groups of 128"),
        ({"group_size": None}, "4 bit, one group a column"),
        ({"bits": 8, "act_order": True, "symmetric": False}, "8 bit, groups of 128, act-order, asymmetric"),
    ],
)
def test_name(changes: dict[str, Any], name: str) -> None:
    assert packing(**changes).name == name


def test_a_short_last_group_counts() -> None:
    assert Packing(bits=4, group_size=128, act_order=False, symmetric=True).groups(129) == 2


def files(total: int, largest: int | None = None) -> WeightFiles:
    return WeightFiles(total_bytes=total, largest_bytes=total if largest is None else largest)


@pytest.mark.parametrize("quantization", ["none", "gptq", "awq"])
def test_real_files_beat_the_formula(quantization: str) -> None:
    asked = stored("meditron-70b", quantization)
    formula = checkpoint_bytes(asked)
    for difference in (-GIB, 0, GIB + 1):
        known = replace(asked, files=files(formula + difference))
        assert checkpoint_bytes(known) == formula + difference
        assert weight_bytes(known) == weight_bytes(asked) + difference
        assert weight_bytes(known, 4) == weight_bytes(asked, 4) + -(-difference // 4)


def test_files_in_32_bit_count_half() -> None:
    asked = stored("pmc-llama-13b", "none")
    wide = replace(asked, model=replace(asked.model, stored_bytes_per_number=4))
    assert checkpoint_bytes(wide) == 2 * checkpoint_bytes(asked)
    assert weight_bytes(wide) == weight_bytes(asked)
    assert weight_bytes(replace(wide, files=files(checkpoint_bytes(wide) + GIB))) == weight_bytes(asked) + GIB // 2


def test_a_difference_above_three_percent_is_reported() -> None:
    asked = demand("meditron-7b none 1 A100-80GB", 2_048)
    formula = checkpoint_bytes(asked)
    for percent, reported in ((103, False), (98, False), (104, True), (96, True)):
        answer = fitting(replace(asked, files=files(formula * percent // 100)))
        assert bool(answer.remarks) is reported
        assert ("of the 13,476,831,232 that follow from the shape" in answer.explanation) is reported
    assert "+4.0%" in fitting(replace(asked, files=files(formula * 104 // 100))).remarks[0]


def test_host_memory_follows_the_largest_real_file() -> None:
    asked = demand("meditron-7b none 1 A100-80GB", 2_048)
    known = replace(asked, files=files(checkpoint_bytes(asked), 5 * 10**9))
    assert fitting(known).host_memory_bytes == 6 * 10**9 + 9 * GIB


def test_files_of_a_packed_checkpoint_count_whole_whatever_its_dtype() -> None:
    asked = stored("meditron-7b", "gptq")
    wide = replace(asked, model=replace(asked.model, stored_bytes_per_number=4))
    known = replace(wide, files=files(checkpoint_bytes(wide) + 1_000))
    assert weight_bytes(known) == weight_bytes(asked) + 1_000


def test_exllama_scratch_of_a_row_shard_has_all_outputs() -> None:
    """o_proj is the largest where the MLP is narrow: its inputs are cut, its outputs are not."""
    asked = stored("meditron-70b", "gptq", packing=packing(symmetric=False))
    narrow = replace(asked, model=replace(asked.model, intermediate_size=128, num_key_value_heads=1))
    plain = activation_bytes(replace(narrow, packing=None), 4, 4_096)
    scratch = activation_bytes(narrow, 4, 4_096) - plain
    assert scratch == 2 * HIDDEN * HIDDEN // 4 + 4 * HIDDEN * 4_096 + 256


def test_tied_embeddings_are_stored_once_and_loaded_twice() -> None:
    asked = stored("meditron3-8b", "none")
    tied = replace(asked, model=replace(asked.model, tied_embeddings=True))
    assert checkpoint_bytes(asked) - checkpoint_bytes(tied) == 128_256 * 4_096 * 2
    assert weight_bytes(tied) == weight_bytes(asked)


def test_biases_are_on_every_gpu() -> None:
    asked = stored("meditron-7b", "gptq")
    biased = replace(asked, model=replace(asked.model, bias_params=1_000))
    assert weight_bytes(biased, 2) - weight_bytes(asked, 2) == 2_000
    assert checkpoint_bytes(biased) - checkpoint_bytes(asked) == 2_000
