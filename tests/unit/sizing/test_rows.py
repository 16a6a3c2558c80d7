"""The acceptance rows of sizing, and every refusal with its words."""

from dataclasses import replace

import pytest

from meditron_operator.core.sizing import Dtype, Profile, RefusalReason, WeightFiles
from meditron_operator.core.sizing.fit import STANDARD, measure, refusal
from tests.unit.sizing.asking import GIB, demand, fitting, refused
from tests.unit.sizing.rows import ROWS


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
    fit = measure(asked, 1, STANDARD)
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
    assert refusal(asked, measure(asked, 1, STANDARD)).message == (
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
    assert tuple(step.change for step in answer.next_steps) == steps
    assert answer.message.endswith(f". Next: {', or '.join(steps)}" if steps else "later")


@pytest.mark.parametrize("concurrency", range(13, 26))
def test_the_proposed_concurrency_is_the_largest_that_fits(concurrency: int) -> None:
    steps = refused(demand("meditron-70b none 2 H100-80GB", concurrency=concurrency)).next_steps
    assert "lower the concurrency to 12 in the tight profile" in [step.change for step in steps]


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


def test_a_next_step_says_what_comes_of_it() -> None:
    steps = {step.change: step for step in refused(demand("meditron-70b none 2 H100-80GB", concurrency=20)).next_steps}
    four = steps["use 4 GPUs"]
    assert (four.gpus, four.profile, four.safe_tokens) == (4, Profile.STANDARD, 395_572)
    fewer = steps["lower the concurrency to 12 in the tight profile"]
    assert (fewer.gpus, fewer.profile, fewer.safe_tokens) == (2, Profile.TIGHT, 52_020)


def test_a_single_request_can_be_the_next_step() -> None:
    asked = demand("meditron-70b gptq 1 A100-40GB", concurrency=2)
    assert "lower the concurrency to 1 in the tight profile" in [step.change for step in refused(asked).next_steps]


def test_another_quantization_is_another_checkpoint() -> None:
    """Neither the dtype nor the files nor the packing of the refused one say anything of it."""
    asked = demand("meditron-70b none 1 A100-80GB", dtype=Dtype.BFLOAT16)
    asked = replace(asked, files=WeightFiles(total_bytes=10**12, largest_bytes=10**12))
    assert [step.change for step in refused(asked).next_steps] == ["use quantization eetq"]


def test_exactly_no_room_is_too_large() -> None:
    asked = demand("meditron-70b gptq 1 A100-40GB")
    short = measure(asked, 1, STANDARD).bytes_per_gpu.kv_cache
    for more, reason in ((0, RefusalReason.WEIGHTS_TOO_LARGE), (1, RefusalReason.KV_CACHE_TOO_SMALL)):
        budget = measure(asked, 1, STANDARD).bytes_per_gpu.budget - short + more
        gpu = replace(asked.gpu, cuda_total_bytes=-(-budget * 10 // 9))
        fit = measure(replace(asked, gpu=gpu), 1, STANDARD)
        assert fit.bytes_per_gpu.kv_cache == more
        assert refusal(asked, fit).reason is reason


def test_a_refusal_carries_the_sum_that_failed() -> None:
    short = refused(demand("meditron-70b none 2 H100-80GB", concurrency=20)).refusals[0].shortfall
    assert short is not None
    assert (short.profile, short.safe_tokens, short.kv_capacity_tokens) == (Profile.TIGHT, 52_020, 65_025)
