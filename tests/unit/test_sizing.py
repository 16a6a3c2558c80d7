"""The acceptance rows of sizing, and every refusal with its words."""

from dataclasses import replace
from fractions import Fraction

import pytest

from meditron_operator.core.catalog.gpus import BYTES_PER_GIB, GPUS
from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.catalog.quantization import Quantization
from meditron_operator.core.sizing import (
    Demand,
    DoesNotFit,
    Dtype,
    KvCacheDtype,
    Plan,
    Profile,
    RefusalReason,
    legal_shard_counts,
    plan,
    weight_bytes,
)
from meditron_operator.core.sizing.fit import measure, refusal
from meditron_operator.core.sizing.memory import activation_bytes, kv_bytes_per_token

GIB = BYTES_PER_GIB


def demand(words: str, context_tokens: int = 4_096, concurrency: int = 1) -> Demand:
    """`<model> <quantization> <count or any> <card>`."""
    model, quantization, count, card = words.split()
    return Demand(
        model=MODELS[model],
        quantization=Quantization(quantization),
        gpu=GPUS[card],
        gpus=None if count == "any" else int(count),
        context_tokens=context_tokens,
        concurrency=concurrency,
    )


def fitting(asked: Demand) -> Plan:
    answer = plan(asked)
    assert isinstance(answer, Plan), answer
    return answer


def refused(asked: Demand) -> DoesNotFit:
    answer = plan(asked)
    assert isinstance(answer, DoesNotFit), answer
    return answer


ROWS = [
    # row, demand, context, profile, weights GiB a GPU, tokens, safe tokens, sequences of full context
    ("a", "meditron-70b none 4 A100-40GB", 4_096, "standard", "32.12", 24_966, 19_973, 4),
    ("b", "meditron-70b none 2 H100-80GB", 4_096, "standard", "64.24", 35_534, 28_427, 6),
    ("d", "meditron-70b bitsandbytes 2 A100-40GB", 4_096, "standard", "32.37", 9_680, 7_744, 1),
    ("e", "meditron-70b eetq 1 A100-80GB", 4_096, "standard", "64.73", 14_816, 11_853, 2),
    ("g", "meditron-70b gptq 1 A100-40GB", 4_096, "tight", "33.85", 8_050, 6_440, 1),
    ("h", "meditron-70b gptq 2 RTX-4090", 4_096, "standard", "16.93", 17_671, 14_137, 3),
    ("i", "meditron-70b gptq 1 L40S", 4_096, "standard", "33.85", 13_518, 10_814, 2),
    ("l", "meditron-7b none 1 L4", 2_048, "standard", "12.55", 12_315, 9_852, 4),
]


@pytest.mark.parametrize(
    ("words", "context", "profile", "weights", "tokens", "safe", "sequences"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_row_that_fits(
    *, words: str, context: int, profile: str, weights: str, tokens: int, safe: int, sequences: int
) -> None:
    answer = fitting(demand(words, context))
    assert answer.profile == profile
    assert answer.bytes_per_gpu.weights / GIB == pytest.approx(float(weights), abs=0.01)
    assert answer.kv_capacity_tokens == pytest.approx(tokens, rel=0.02)
    assert answer.safe_tokens == pytest.approx(safe, rel=0.02)
    assert answer.sequences_at_full_context == sequences
    assert answer.gpus_per_replica == int(words.split()[2])


@pytest.mark.parametrize(
    ("words", "weights", "shortfall"),
    [("meditron-70b none 1 H200-141GB", 128.48, 4.7), ("meditron-70b gptq 1 A100-40GB", 33.85, 0.4)],
    ids=["c", "f"],
)
def test_row_that_does_not_fit_standard(words: str, weights: float, shortfall: float) -> None:
    asked = demand(words)
    fit = measure(asked, 1, Profile.STANDARD)
    assert not fit.fits
    assert fit.capacity_tokens == 0
    assert fit.bytes_per_gpu.weights / GIB == pytest.approx(weights, abs=0.01)
    assert -fit.bytes_per_gpu.kv_cache / GIB == pytest.approx(shortfall, abs=0.05)
    words_of_refusal = refusal(asked, fit)
    assert words_of_refusal.reason is RefusalReason.WEIGHTS_TOO_LARGE
    assert words_of_refusal.message.endswith(f"by {shortfall} GiB")


def test_row_c_left_to_choose_takes_a_second_card() -> None:
    """One H200 only holds it tight; nothing goes tight while a legal count fits standard."""
    answer = fitting(demand("meditron-70b none any H200-141GB"))
    assert (answer.gpus_per_replica, answer.profile) == (2, Profile.STANDARD)
    assert fitting(demand("meditron-70b none 1 H200-141GB")).profile is Profile.TIGHT


def test_row_f_says_what_failed() -> None:
    asked = demand("meditron-70b gptq 1 A100-40GB")
    assert refusal(asked, measure(asked, 1, Profile.STANDARD)).message == (
        "meditron-70b gptq does not fit on 1 x A100-40GB: weights 33.9 GiB + activations 1.0 GiB "
        "+ runtime 1.0 GiB exceed the budget of 35.5 GiB by 0.4 GiB"
    )


@pytest.mark.parametrize(
    ("words", "context", "reason", "says"),
    [
        ("meditron-70b none 3 A100-80GB", 4_096, "IllegalShardCount", "3 does not divide 64 attention heads"),
        ("meditron-7b gptq 4 L4", 2_048, "IllegalShardCount", "11,008 / 4 = 2,752 is no multiple"),
        (
            "meditron-70b none 4 V100-32GB",
            4_096,
            "NoFlashAttention",
            "capability 7.0 of V100-32GB has no sharded",
        ),
    ],
    ids=["j", "k", "m"],
)
def test_row_that_is_illegal(words: str, context: int, reason: str, says: str) -> None:
    answer = refused(demand(words, context))
    (only,) = answer.refusals
    assert (only.reason, only.gpus) == (reason, int(words.split()[2]))
    assert says in only.message
    assert answer.message.startswith(only.message)


@pytest.mark.parametrize(
    ("words", "context", "concurrency", "steps"),
    [
        ("meditron-70b none 3 A100-80GB", 4_096, 1, ("use 2 GPUs",)),
        ("meditron-7b gptq 4 L4", 2_048, 1, ("use 1 GPU", "use quantization none")),
        ("meditron-70b none 4 V100-32GB", 4_096, 1, ()),
        (
            "meditron-70b none 2 H100-80GB",
            4_096,
            20,
            (
                "use 4 GPUs",
                "lower the concurrency to 12 in the tight profile",
                "lower the context to 2,601 tokens in the tight profile",
                "use quantization fp8",
            ),
        ),
        ("meditron-7b none any L40S", 4_096, 1, ("lower the context to 2,048 tokens",)),
        ("meditron-70b awq any MI300X", 4_096, 1, ("use quantization none",)),
        ("meditron-7b gptq 2 T4", 2_048, 1, ("use 1 GPU",)),
    ],
)
def test_next_steps(words: str, context: int, concurrency: int, steps: tuple[str, ...]) -> None:
    answer = refused(demand(words, context, concurrency))
    assert answer.next_steps == steps
    assert answer.message.endswith(f". Next: {', or '.join(steps)}" if steps else "later")


@pytest.mark.parametrize("concurrency", range(13, 26))
def test_the_proposed_concurrency_is_the_largest_that_fits(concurrency: int) -> None:
    steps = refused(demand("meditron-70b none 2 H100-80GB", concurrency=concurrency)).next_steps
    assert "lower the concurrency to 12 in the tight profile" in steps


def test_refusals_begin_with_the_nearest() -> None:
    answer = refused(demand("meditron-70b none any L4", concurrency=200))
    assert [line.gpus for line in answer.refusals] == [8, 4, 2, 1]
    assert answer.refusals[0].reason is RefusalReason.KV_CACHE_TOO_SMALL
    assert "819,200 wanted (200 x 4,096)" in answer.message
    assert "\n" not in answer.message


def test_every_reason_at_once_when_several_rule_it_out() -> None:
    asked = replace(demand("meditron-70b awq 1 T4", 8_192), dtype=Dtype.BFLOAT16)
    assert [line.reason for line in refused(asked).refusals] == [
        RefusalReason.QUANTIZATION_UNSUPPORTED,
        RefusalReason.DTYPE_NOT_ALLOWED,
        RefusalReason.DTYPE_UNSUPPORTED,
        RefusalReason.CONTEXT_TOO_LONG,
    ]


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
        assert legal_shard_counts(MODELS[model], quantization) == expected


@pytest.mark.parametrize("count", [-1, 0])
def test_no_gpu_is_no_count(count: int) -> None:
    asked = replace(demand("meditron-7b none 1 L4", 2_048), gpus=count)
    assert refused(asked).refusals[0].reason is RefusalReason.ILLEGAL_SHARD_COUNT


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
    ("model", "quantization", "gib"),
    [
        ("llama-2-7b", "none", 12.551),
        ("llama-2-70b", "none", 128.479),
        ("meditron3-8b", "none", 14.958),
        ("meditron3-70b", "none", 131.417),
        ("llama-2-7b", "eetq", 6.52),
        ("llama-2-70b", "bitsandbytes", 64.73),
        ("meditron3-8b", "eetq", 8.46),
        ("meditron3-70b", "bitsandbytes", 67.67),
        ("llama-2-7b", "fp8", 8.77),
        ("llama-2-70b", "fp8", 77.29),
        ("meditron3-8b", "fp8", 10.04),
        ("meditron3-70b", "fp8", 80.23),
        ("llama-2-7b", "gptq", 3.60),
        ("llama-2-70b", "gptq", 33.85),
        ("meditron3-8b", "gptq", 5.31),
        ("meditron3-70b", "gptq", 36.79),
        ("llama-2-7b", "awq", 3.62),
        ("llama-2-70b", "awq", 34.10),
        ("meditron3-8b", "awq", 5.33),
        ("meditron3-70b", "awq", 37.04),
    ],
)
def test_weights_on_one_gpu(model: str, quantization: str, gib: float) -> None:
    assert weight_bytes(MODELS[model], Quantization(quantization)) / GIB == pytest.approx(gib, abs=0.006)


def test_weights_to_the_byte() -> None:
    model = MODELS["llama-2-70b"]
    untouched = 2 * (2 * 32_000 * 8_192 + 161 * 8_192)
    linears = 68_451_041_280
    assert weight_bytes(model, Quantization.NONE) == 137_953_296_384
    assert weight_bytes(model, Quantization.EETQ) == linears + untouched
    assert weight_bytes(model, Quantization.GPTQ) == linears // 2 + linears * 2 // 128 + untouched
    assert weight_bytes(model, Quantization.AWQ) == 36_613_668_864
    assert weight_bytes(model, Quantization.BITSANDBYTES_NF4) == -(-linears * 516 // 1_000) + untouched
    assert weight_bytes(model, Quantization.FP8) == 2 * linears - 78 * 3 * 8_192 * 28_672 + untouched


def test_shards_repeat_the_norms_only() -> None:
    model = MODELS["llama-2-70b"]
    norms = 2 * 161 * 8_192
    whole = weight_bytes(model, Quantization.NONE)
    for shards in (2, 4, 8):
        assert weight_bytes(model, Quantization.NONE, shards) == (whole - norms) // shards + norms


def test_a_vocabulary_that_does_not_divide_puts_the_whole_head_on_every_gpu() -> None:
    resized = replace(MODELS["llama-2-70b"], vocab_size=32_017)
    row = 2 * 8_192
    more = weight_bytes(resized, Quantization.NONE, 4) - weight_bytes(MODELS["llama-2-70b"], Quantization.NONE, 4)
    assert more == (8_005 - 8_000) * row + (32_017 - 8_000) * row


@pytest.mark.parametrize(
    ("model", "bytes_16bit"),
    [
        ("llama-2-7b", 524_288),
        ("llama-2-70b", 327_680),
        ("meditron3-8b", 131_072),
        ("meditron3-70b", 327_680),
    ],
)
def test_kv_bytes_per_token(model: str, bytes_16bit: int) -> None:
    shape = MODELS[model]
    assert kv_bytes_per_token(shape, 1, KvCacheDtype.AUTO) == bytes_16bit
    assert kv_bytes_per_token(shape, 8, KvCacheDtype.AUTO) == bytes_16bit // 8
    assert kv_bytes_per_token(shape, 1, KvCacheDtype.FP8_E5M2) == bytes_16bit // 2


def test_activations_of_the_warm_up() -> None:
    assert activation_bytes(MODELS["llama-2-70b"], 4, 4_096) / GIB == pytest.approx(0.43, abs=0.005)


@pytest.mark.parametrize(
    ("words", "prefill"),
    [
        ("meditron3-8b none 1 A100-80GB", 4_096),
        ("meditron3-70b gptq 1 L40S", 512),
    ],
)
def test_prefill_of_a_profile(words: str, prefill: int) -> None:
    answer = fitting(demand(words, 8_192))
    assert answer.max_batch_prefill_tokens == prefill
    assert ("test it under load" in answer.explanation) is (answer.profile is Profile.TIGHT)
    assert answer.memory_fraction == 1.0
    assert answer.wiggle_room == {Profile.STANDARD: 0.90, Profile.TIGHT: 0.95}[answer.profile]


def test_prefill_is_never_more_than_the_context() -> None:
    assert fitting(demand("meditron-7b none 1 L4", 1_000)).max_batch_prefill_tokens == 1_000


def test_explanation_is_one_line_with_the_numbers() -> None:
    assert fitting(demand("meditron-70b none 4 A100-40GB")).explanation == (
        "meditron-70b 16-bit on 4 x A100-40GB (standard), per GPU: weights 32.1 GiB + KV cache 1.9 GiB "
        "+ activations 0.4 GiB + runtime 1.0 GiB + headroom 3.9 GiB = 39.4 GiB; "
        "24,966 tokens, 19,972 of them safe: 4 sequences of 4,096 tokens at once"
    )


@pytest.mark.parametrize(
    ("words", "memory_bytes", "shards"),
    [
        # 1.2 x a file of 10 GB + 8 GiB + 1 GiB a shard
        ("meditron-70b none 4 A100-40GB", 12 * 10**9 + 12 * GIB, 4),
        # 1.2 x the whole checkpoint + 8 GiB + 1 GiB
        ("meditron-70b awq 1 L40S", -(-36_613_668_864 * 6 // 5) + 9 * GIB, 1),
        # the whole 16-bit checkpoint + 2 GiB
        ("meditron-70b bitsandbytes 2 A100-40GB", 137_953_296_384 + 2 * GIB, 2),
        # never less than without quantization
        ("meditron-7b eetq 1 L4", 12 * 10**9 + 9 * GIB, 1),
    ],
)
def test_host_needs(words: str, memory_bytes: int, shards: int) -> None:
    answer = fitting(demand(words, 2_048))
    assert answer.host_memory_bytes == memory_bytes
    assert answer.shm_bytes == shards * GIB
    assert answer.cpus == 4 + 2 * shards
    assert answer.ephemeral_storage_bytes == 8 * GIB


def test_one_node_has_eight_cards_unless_a_number_is_given() -> None:
    tiny = replace(GPUS["L4"], cuda_total_bytes=5 * GIB // 2)
    asked = replace(demand("meditron-7b none any L4", 2_048), gpu=tiny)
    assert [line.gpus for line in refused(asked).refusals] == [8, 4, 2, 1]
    assert fitting(replace(asked, gpus=16)).gpus_per_replica == 16


def test_nothing_is_rounded_up() -> None:
    answer = fitting(demand("meditron-70b none 4 A100-40GB"))
    parts = answer.bytes_per_gpu
    assert parts.budget == int(Fraction(9, 10) * parts.total)
    assert answer.kv_capacity_tokens * 81_920 <= parts.kv_cache < (answer.kv_capacity_tokens + 1) * 81_920
    assert answer.safe_tokens == answer.kv_capacity_tokens * 8 // 10
