"""What runs where, and in which form."""

from dataclasses import replace

import pytest

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.catalog.quantization import Quantization
from meditron_operator.core.sizing import DoesNotFit, Dtype, KvCacheDtype, Plan, Profile, RefusalReason, plan
from tests.unit.sizing.asking import GIB, demand, fitting, refused

RUNS_ON = {
    "none": "all but V100-32GB",
    "gptq": "all but V100-32GB",
    "awq": "all but V100-32GB T4 MI300X",
    "eetq": "all but V100-32GB MI300X",
    "bitsandbytes": "all but V100-32GB MI300X",
    "bitsandbytes-nf4": "all but V100-32GB MI300X",
    "fp8": "all but V100-32GB T4 MI300X",
}


@pytest.mark.parametrize("card", list(GPUS))
@pytest.mark.parametrize("quantization", list(Quantization))
def test_quantization_on_card(quantization: Quantization, card: str) -> None:
    roomy = replace(GPUS[card], cuda_total_bytes=80 * GIB)
    asked = replace(demand(f"meditron-7b {quantization} 1 {card}", 2_048), gpu=roomy, allow_unproven=True)
    runs = card not in RUNS_ON[quantization].removeprefix("all but ").split()
    assert isinstance(plan(asked), Plan) is runs


@pytest.mark.parametrize("card", [card for card in GPUS if card not in {"V100-32GB", "B200"}])
def test_two_cards(card: str) -> None:
    asked = demand(f"meditron-7b none 2 {card}", 2_048)
    if card == "T4":
        assert refused(asked).refusals[0].reason is RefusalReason.NO_SHARDED_PATH
    else:
        assert fitting(asked).gpus_per_replica == 2


def test_t4_alone_takes_four_bit_in_one_prefill() -> None:
    answer = fitting(demand("meditron-7b gptq any T4", 2_048))
    assert (answer.gpus_per_replica, answer.max_batch_prefill_tokens, answer.dtype) == (1, 2_048, None)
    assert answer.kv_capacity_tokens % 16 == 0
    assert fitting(demand("meditron-7b bitsandbytes 1 T4", 2_048)).dtype is Dtype.FLOAT16


def test_v100_is_refused_at_every_count() -> None:
    for count in ("any", "1", "2"):
        answer = refused(demand(f"meditron-7b gptq {count} V100-32GB", 2_048))
        assert [line.reason for line in answer.refusals] == [RefusalReason.NO_FLASH_ATTENTION]


def test_b200_only_when_asked_for() -> None:
    asked = demand("meditron-70b none any B200")
    assert refused(asked).refusals[0].reason is RefusalReason.GPU_UNPROVEN
    assert fitting(replace(asked, allow_unproven=True)).gpus_per_replica == 1


def test_mi300x_has_paged_attention() -> None:
    answer = fitting(demand("meditron3-70b none 1 MI300X", 16_384))
    assert answer.max_batch_prefill_tokens == 16_384  # a prompt cannot be cut in chunks
    assert answer.kv_capacity_tokens % 16 == 0
    assert answer.dtype is Dtype.BFLOAT16


def test_no_tight_profile_without_chunked_prefill() -> None:
    small = replace(GPUS["MI300X"], cuda_total_bytes=GPUS["A100-40GB"].cuda_total_bytes)
    asked = replace(demand("meditron-70b gptq 1 MI300X"), gpu=small)
    assert "exceed the budget of" in refused(asked).message
    assert fitting(demand("meditron-70b gptq 1 A100-40GB")).profile is Profile.TIGHT


def test_other_head_dimension_has_blocks_of_256_and_no_tight_profile() -> None:
    odd = replace(MODELS["meditron-7b"], head_dim=96)
    answer = fitting(replace(demand("meditron-7b none 1 A100-80GB", 2_048), model=odd))
    assert answer.kv_capacity_tokens % 256 == 0
    asked = replace(demand("meditron-7b none 1 L4", 2_048), model=odd, kv_cache_dtype=KvCacheDtype.FP8_E4M3FN)
    assert refused(asked).refusals[0].reason is RefusalReason.KV_CACHE_DTYPE_UNSUPPORTED


@pytest.mark.parametrize(
    ("card", "e4m3fn", "e5m2"), [("L4", True, True), ("MI300X", True, False), ("T4", False, False)]
)
def test_fp8_kv_cache(card: str, *, e4m3fn: bool, e5m2: bool) -> None:
    asked = demand(f"meditron-7b gptq 1 {card}", 2_048)
    for dtype, runs in ((KvCacheDtype.FP8_E4M3FN, e4m3fn), (KvCacheDtype.FP8_E5M2, e5m2)):
        answer = plan(replace(asked, kv_cache_dtype=dtype))
        assert isinstance(answer, Plan) is runs
        if isinstance(answer, Plan):
            assert answer.kv_capacity_tokens // 2 - fitting(asked).kv_capacity_tokens in range(16)
        else:
            assert answer.refusals[0].reason is RefusalReason.KV_CACHE_DTYPE_UNSUPPORTED


@pytest.mark.parametrize(
    ("quantization", "launched"),
    [
        ("none", Dtype.BFLOAT16),
        ("bitsandbytes", Dtype.BFLOAT16),
        ("bitsandbytes-nf4", Dtype.BFLOAT16),
        ("gptq", None),
        ("awq", None),
        ("eetq", None),
        ("fp8", None),
    ],
)
def test_dtype(quantization: str, launched: Dtype | None) -> None:
    asked = demand(f"meditron-7b {quantization} 1 L40S", 2_048)
    assert fitting(asked).dtype is launched
    forced = plan(replace(asked, dtype=Dtype.FLOAT16))
    if launched is None:
        assert isinstance(forced, DoesNotFit)
        assert forced.refusals[0].reason is RefusalReason.DTYPE_NOT_ALLOWED
    else:
        assert isinstance(forced, Plan)
        assert forced.dtype is Dtype.FLOAT16


def test_context_beyond_the_model_is_refused() -> None:
    (only,) = refused(demand("meditron-7b none 1 L40S", 2_049)).refusals
    assert only.reason is RefusalReason.CONTEXT_TOO_LONG
    assert only.message == "meditron-7b has 2,048 positions: no context of 2,049 tokens"


@pytest.mark.parametrize(("context", "concurrency"), [(1, 1), (0, 1), (4_096, 0)])
def test_a_demand_for_nothing_is_an_error(context: int, concurrency: int) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        demand("meditron-70b none 4 A100-40GB", context, concurrency)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("meditron-7b awq 1 T4", "awq needs compute capability 8.0, not T4 (compute capability 7.5)"),
        ("meditron-7b eetq 1 MI300X", "eetq needs CUDA, not MI300X (ROCm)"),
    ],
)
def test_what_a_quantization_needs_is_said(words: str, says: str) -> None:
    assert refused(demand(words, 2_048)).refusals[0].message == says


def test_a_slice_of_a_card_is_never_sharded() -> None:
    asked = demand("meditron-7b none any A100-80GB", 2_048)
    part = replace(asked.gpu, name="A100-80GB-MIG-3g.40gb", sliced=True, cuda_total_bytes=38 * GIB)
    assert fitting(replace(asked, gpu=part)).gpus_per_replica == 1
    (only,) = refused(replace(asked, gpu=part, gpus=2)).refusals
    assert only.reason is RefusalReason.NO_SHARDED_PATH
    assert only.message == (
        "A100-80GB-MIG-3g.40gb is a slice of a card, which TGI can't join with others: one GPU only"
    )
