"""What must hold for any model, card and demand, not only for the rows of the table."""

import json
from dataclasses import asdict, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.catalog.quantization import FACTS, Packing, Quantization
from meditron_operator.core.sizing import (
    Adapters,
    Demand,
    DoesNotFit,
    KvCacheDtype,
    Plan,
    Profile,
    legal_shard_counts,
    plan,
    weight_bytes,
)
from meditron_operator.core.sizing.fit import STANDARD, TIGHT, measure
from meditron_operator.core.sizing.planner import best_fit
from tests.unit.sizing.asking import GIB

EXAMPLES = settings(max_examples=2_000, deadline=None)

PACKINGS = st.builds(
    Packing,
    bits=st.sampled_from([4, 4, 8, 2, 3]),
    group_size=st.sampled_from([None, 32, 64, 128, 256]),
    act_order=st.booleans(),
    symmetric=st.booleans(),
)


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    """Half of the cards have memory near what the weights need: where a fit turns into a refusal."""
    model = draw(st.sampled_from(list(MODELS.values())))
    model = replace(model, vocab_size=draw(st.sampled_from([model.vocab_size, 32_017])))
    quantization = draw(st.sampled_from(Quantization))
    packed = FACTS[quantization].pre_quantized
    weights = Demand(
        model=model,
        quantization=quantization,
        packing=draw(st.none() | PACKINGS) if packed else None,
        adapters=draw(st.none() | st.builds(Adapters, count=st.integers(1, 20), rank=st.integers(1, 256))),
        gpu=draw(st.sampled_from(list(GPUS.values()))),
        gpus=draw(st.none() | st.sampled_from([1, 2, 3, 4, 8])),
        context_tokens=draw(st.integers(min_value=2, max_value=min(model.max_position_embeddings, 32_768))),
        concurrency=draw(st.integers(min_value=1, max_value=16)),
        kv_cache_dtype=draw(st.sampled_from([KvCacheDtype.AUTO, *KvCacheDtype])),
        allow_unproven=draw(st.booleans()),
    )
    slack = draw(st.integers(min_value=0, max_value=16 * GIB))
    near = weight_bytes(weights, draw(st.sampled_from([1, 2, 4]))) + slack
    total = draw(st.just(near) | st.integers(min_value=GIB, max_value=200 * GIB))
    return replace(weights, gpu=replace(weights.gpu, cuda_total_bytes=total))


def fits(demand: Demand) -> bool:
    return best_fit(demand) is not None


@EXAMPLES
@given(demands())
def test_the_bytes_add_up_exactly(demand: Demand) -> None:
    answer = plan(demand)
    if isinstance(answer, DoesNotFit):
        return
    parts = answer.bytes_per_gpu
    assert all(type(value) is int and value >= 0 for value in asdict(parts).values())
    assert parts.weights + parts.kv_cache + parts.activations + parts.runtime == parts.budget
    assert parts.budget + parts.headroom == parts.total == demand.gpu.cuda_total_bytes


@EXAMPLES
@given(demands())
def test_a_plan_keeps_its_promise(demand: Demand) -> None:
    answer = plan(demand)
    if isinstance(answer, DoesNotFit):
        return
    assert answer.kv_capacity_tokens >= answer.safe_tokens >= demand.wanted_tokens
    assert answer.sequences_at_full_context >= demand.concurrency
    assert answer.max_batch_prefill_tokens <= demand.context_tokens
    assert answer.gpus_per_replica in legal_shard_counts(demand)
    assert demand.gpus in {None, answer.gpus_per_replica}


@EXAMPLES
@given(demands(), st.integers(min_value=0, max_value=100 * GIB))
def test_more_memory_never_hurts(demand: Demand, more_bytes: int) -> None:
    if fits(demand):
        larger = replace(demand.gpu, cuda_total_bytes=demand.gpu.cuda_total_bytes + more_bytes)
        assert fits(replace(demand, gpu=larger))


@EXAMPLES
@given(demands(), st.data())
def test_fewer_tokens_never_hurt(demand: Demand, data: st.DataObject) -> None:
    if fits(demand):
        context = data.draw(st.integers(min_value=2, max_value=demand.context_tokens))
        concurrency = data.draw(st.integers(min_value=1, max_value=demand.concurrency))
        assert fits(replace(demand, context_tokens=context, concurrency=concurrency))


@EXAMPLES
@given(demands(), st.sampled_from(Quantization))
def test_smaller_weights_never_hurt(demand: Demand, other: Quantization) -> None:
    """Among quantizations that the card runs at all, at a count that is legal for both."""
    smaller = replace(demand, quantization=other, packing=None)
    if demand.gpus is None or demand.gpus not in legal_shard_counts(smaller) or not fits(demand):
        return
    roomy = replace(demand.gpu, cuda_total_bytes=2**50)
    sizes = [_fixed_bytes(asked, demand.gpus) for asked in (smaller, demand)]
    if sizes[0] <= sizes[1] and fits(replace(smaller, gpu=roomy)):
        assert fits(smaller)


def _fixed_bytes(demand: Demand, gpus: int) -> int:
    """Weights, and with ExLlamaV2 its scratch too, which grows with the prefill."""
    return measure(demand, gpus, STANDARD).bytes_per_gpu.fixed


@EXAMPLES
@given(demands())
def test_the_smallest_legal_count_is_chosen_and_tight_only_as_a_last_resort(demand: Demand) -> None:
    answer = plan(replace(demand, gpus=None))
    if isinstance(answer, DoesNotFit):
        return
    counts = [n for n in legal_shard_counts(demand) if n <= 8]
    if demand.gpu.compute_capability == (7, 5):
        counts = [1]
    below = [n for n in counts if n < answer.gpus_per_replica]
    standard = below if answer.profile is Profile.STANDARD else counts
    assert not any(measure(demand, n, STANDARD).fits for n in standard)
    if answer.profile is Profile.TIGHT:
        assert not any(measure(demand, n, TIGHT).fits for n in below)


@EXAMPLES
@given(demands())
def test_left_to_choose_finds_a_count_whenever_one_fits(demand: Demand) -> None:
    if fits(demand):
        assert fits(replace(demand, gpus=None))


@EXAMPLES
@given(demands())
def test_equal_demands_give_equal_bytes(demand: Demand) -> None:
    first, second = plan(demand), plan(replace(demand))
    assert first == second
    assert json.dumps(asdict(first)) == json.dumps(asdict(second))


@EXAMPLES
@given(demands())
def test_a_refusal_says_why_in_one_line(demand: Demand) -> None:
    answer = plan(demand)
    if isinstance(answer, Plan):
        return
    assert answer.refusals
    assert answer.message.count("\n") == 0
    assert all(refusal.message in answer.message for refusal in answer.refusals)
    assert len({refusal.message for refusal in answer.refusals}) == len(answer.refusals)
