"""Single changes that would make a refused demand fit, each tried by the planner itself."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from meditron_operator.core.catalog.quantization import Quantization
from meditron_operator.core.sizing.demand import Demand
from meditron_operator.core.sizing.fit import Fit
from meditron_operator.core.sizing.result import NextStep, Profile

MIN_USEFUL_CONTEXT_TOKENS: Final = 512
"""Below it there is no room for a patient's question and its answer: not worth proposing."""

# Largest weights first: the least change of the model's answers.
_BY_LOSS: Final = (
    Quantization.NONE,
    Quantization.FP8,
    Quantization.EETQ,
    Quantization.BITSANDBYTES_NF4,
    Quantization.GPTQ,
)

FindFit = Callable[[Demand], Fit | None]


def next_steps(demand: Demand, find: FindFit) -> tuple[NextStep, ...]:
    """What a person could change, one thing at a time."""
    makers = (_other_gpus, _lower_concurrency, _shorter_context, _other_quantization)
    steps = (make(demand, find) for make in makers)
    return tuple(step for step in steps if step is not None)


def _step(change: str, found: Fit) -> NextStep:
    tightly = " in the tight profile" if found.profile is Profile.TIGHT else ""
    return NextStep(change=change + tightly, gpus=found.gpus, profile=found.profile, safe_tokens=found.safe_tokens)


def _other_gpus(demand: Demand, find: FindFit) -> NextStep | None:
    found = None if demand.gpus is None else find(replace(demand, gpus=None))
    if found is None:
        return None
    return _step(f"use {found.gpus} GPU{'' if found.gpus == 1 else 's'}", found)


def _lower_concurrency(demand: Demand, find: FindFit) -> NextStep | None:
    most, found = _largest(lambda count: find(replace(demand, concurrency=count)), low=1, high=demand.concurrency)
    return None if found is None else _step(f"lower the concurrency to {most:,}", found)


def _shorter_context(demand: Demand, find: FindFit) -> NextStep | None:
    most, found = _largest(
        lambda tokens: find(replace(demand, context_tokens=tokens)),
        low=MIN_USEFUL_CONTEXT_TOKENS,
        high=demand.context_tokens,
    )
    return None if found is None else _step(f"lower the context to {most:,} tokens", found)


def _other_quantization(demand: Demand, find: FindFit) -> NextStep | None:
    """Sizes of real files are those of another checkpoint, so they are left out."""
    for quantization in _BY_LOSS:
        found = find(replace(demand, quantization=quantization, dtype=None, packing=None, files=None))
        if found is not None:
            return _step(f"use quantization {quantization}", found)
    return None


def _largest(find: Callable[[int], Fit | None], *, low: int, high: int) -> tuple[int, Fit | None]:
    """The largest value in [low, high) that fits, by halving: whatever fits, fits with less too."""
    best: tuple[int, Fit | None] = (low, None)
    while low < high:
        middle = (low + high) // 2
        found = find(middle)
        if found is None:
            high = middle
        else:
            best, low = (middle, found), middle + 1
    return best
