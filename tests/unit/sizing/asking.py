"""Demands in a few words, and their answers."""

from dataclasses import replace
from typing import Any

from meditron_operator.core.catalog.gpus import BYTES_PER_GIB, GPUS
from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.catalog.quantization import FACTS, Packing, Quantization
from meditron_operator.core.sizing import Demand, DoesNotFit, Plan, plan

GIB = BYTES_PER_GIB


def demand(words: str, context_tokens: int = 4_096, concurrency: int = 1, **changes: Any) -> Demand:
    """`<model> <quantization> <count or any> <card>`."""
    model, quantization, count, card = words.split()
    asked = Demand(
        model=MODELS[model],
        quantization=Quantization(quantization),
        gpu=GPUS[card],
        gpus=None if count == "any" else int(count),
        context_tokens=context_tokens,
        concurrency=concurrency,
    )
    return replace(asked, **changes)


def stored(model: str, quantization: str, card: str = "A100-80GB", **changes: Any) -> Demand:
    """A demand of which only the weights matter."""
    return demand(f"{model} {quantization} any {card}", 2_048, **changes)


def packing(quantization: str = "gptq", **changes: Any) -> Packing:
    """The published packing with `changes`."""
    usual = FACTS[Quantization(quantization)].packing
    assert usual is not None
    return replace(usual, **changes)


def fitting(asked: Demand) -> Plan:
    answer = plan(asked)
    assert isinstance(answer, Plan), answer
    return answer


def refused(asked: Demand) -> DoesNotFit:
    answer = plan(asked)
    assert isinstance(answer, DoesNotFit), answer
    return answer
