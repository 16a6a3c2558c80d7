"""Every byte of the sum."""

from dataclasses import replace
from fractions import Fraction

import pytest

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.catalog.quantization import Quantization
from meditron_operator.core.sizing import KvCacheDtype, Profile, weight_bytes
from meditron_operator.core.sizing.memory import activation_bytes, kv_bytes_per_token
from tests.unit.sizing.asking import GIB, demand, fitting, refused, stored


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
    assert weight_bytes(stored(model, quantization)) / GIB == pytest.approx(gib, abs=0.006)


def test_weights_to_the_byte() -> None:
    untouched = 2 * (2 * 32_000 * 8_192 + 161 * 8_192)
    linears = 68_451_041_280
    sizes = {
        "none": 137_953_296_384,
        "eetq": linears + untouched,
        "gptq": linears // 2 + linears * 2 // 128 + untouched,
        "awq": 36_613_668_864,
        "bitsandbytes-nf4": -(-linears * 516 // 1_000) + untouched,
        "fp8": 2 * linears - 78 * 3 * 8_192 * 28_672 + untouched,
    }
    assert {name: weight_bytes(stored("llama-2-70b", name)) for name in sizes} == sizes


def test_shards_repeat_the_norms_only() -> None:
    norms = 2 * 161 * 8_192
    asked = stored("llama-2-70b", "none")
    for shards in (2, 4, 8):
        assert weight_bytes(asked, shards) == (weight_bytes(asked) - norms) // shards + norms


def test_a_vocabulary_that_does_not_divide_puts_the_whole_head_on_every_gpu() -> None:
    asked = stored("llama-2-70b", "none")
    resized = replace(asked, model=replace(asked.model, vocab_size=32_017))
    row = 2 * 8_192
    more = weight_bytes(resized, 4) - weight_bytes(asked, 4)
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
    assert activation_bytes(stored("llama-2-70b", "none"), 4, 4_096) / GIB == pytest.approx(0.43, abs=0.005)


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


@pytest.mark.parametrize(("concurrency", "says"), [(1, ": 1 sequence of 4,096"), (3, ": 2 sequences of 4,096")])
def test_one_is_singular(concurrency: int, says: str) -> None:
    """Row g holds one; three times its memory holds more."""
    asked = demand("meditron-70b gptq 1 A100-40GB")
    if concurrency > 1:
        asked = demand("meditron-70b gptq 1 L40S")
    assert says in fitting(asked).explanation


def test_fp8_of_two_layers_or_fewer_quantizes_nothing() -> None:
    asked = stored("meditron-7b", "fp8")
    for layers in (1, 2):
        small = replace(asked, model=replace(asked.model, num_hidden_layers=layers))
        assert weight_bytes(small) == weight_bytes(replace(small, quantization=Quantization.NONE))


def test_nothing_is_rounded_up() -> None:
    answer = fitting(demand("meditron-70b none 4 A100-40GB"))
    parts = answer.bytes_per_gpu
    assert parts.budget == int(Fraction(9, 10) * parts.total)
    assert answer.kv_capacity_tokens * 81_920 <= parts.kv_cache < (answer.kv_capacity_tokens + 1) * 81_920
    assert answer.safe_tokens == answer.kv_capacity_tokens * 8 // 10
