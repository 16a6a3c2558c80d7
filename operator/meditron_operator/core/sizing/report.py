"""The answer for programs: the JSON of `meditron plan`, whose keys are stable once released."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from meditron_operator.core.catalog.gpus import GPUS, Gpu
from meditron_operator.core.sizing.demand import Demand
from meditron_operator.core.sizing.fit import Fit
from meditron_operator.core.sizing.memory import BytesPerGpu
from meditron_operator.core.sizing.planner import best_fit
from meditron_operator.core.sizing.result import DoesNotFit, NextStep, Plan, Profile
from meditron_operator.core.sizing.shards import legal_shard_counts

MAX_OTHER_CARDS: Final = 5
"""Other cards that are named; the matrix has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Cards that hold the same demand."""

    gpu_type: str
    gpus: int
    profile: Profile
    safe_tokens: int


def alternatives(demand: Demand, answer: Plan | DoesNotFit) -> tuple[Alternative, ...]:
    """The same card in a smaller number if that holds it tightly, then other cards."""
    return (*_fewer_gpus(demand, answer), *_other_cards(demand))


def _fewer_gpus(demand: Demand, answer: Plan | DoesNotFit) -> Iterator[Alternative]:
    """A plan in the standard profile may pass over a smaller count that would do tightly."""
    if isinstance(answer, DoesNotFit):
        return
    counts = (count for count in legal_shard_counts(demand) if count < answer.gpus_per_replica)
    found = (best_fit(replace(demand, gpus=count)) for count in counts)
    tight = next((fit for fit in found if fit is not None), None)
    if tight is not None:
        yield _alternative(demand.gpu, tight)


def _other_cards(demand: Demand) -> Iterator[Alternative]:
    """Least memory first: those tend to cost least; tight ones last."""
    cards = (card for card in GPUS.values() if card.name != demand.gpu.name)
    found = ((card, best_fit(replace(demand, gpu=card, gpus=None))) for card in cards)
    fitting = [(card, fit) for card, fit in found if fit is not None]
    fitting.sort(key=lambda pair: (pair[1].profile is Profile.TIGHT, pair[1].gpus * pair[0].memory_mib))
    return (_alternative(card, fit) for card, fit in fitting[:MAX_OTHER_CARDS])


def _alternative(gpu: Gpu, fit: Fit) -> Alternative:
    return Alternative(gpu_type=gpu.name, gpus=fit.gpus, profile=fit.profile, safe_tokens=fit.safe_tokens)


def report(demand: Demand, answer: Plan | DoesNotFit, others: Iterable[Alternative] = ()) -> dict[str, Any]:
    """One answer; the same keys whether it fits or not, null where there is nothing to say."""
    instead = [_change(card.gpu_type, card, f"use {card.gpus} x {card.gpu_type}") for card in others]
    if isinstance(answer, Plan):
        return {
            "fits": True,
            "profile": str(answer.profile),
            "gpusPerReplica": answer.gpus_per_replica,
            "kvCapacityTokens": answer.kv_capacity_tokens,
            "safeTokens": answer.safe_tokens,
            "sequencesAtFullContext": answer.sequences_at_full_context,
            "bytesPerGPU": bytes_report(answer.bytes_per_gpu),
            "reasons": list(answer.remarks),
            "alternatives": instead,
        }
    nearest = answer.refusals[0]
    short = nearest.shortfall
    steps = [_change(demand.gpu.name, step, step.change) for step in answer.next_steps]
    return {
        "fits": False,
        "profile": None if short is None else str(short.profile),
        "gpusPerReplica": nearest.gpus,
        "kvCapacityTokens": None if short is None else short.kv_capacity_tokens,
        "safeTokens": None if short is None else short.safe_tokens,
        "sequencesAtFullContext": None if short is None else short.safe_tokens // demand.context_tokens,
        "bytesPerGPU": None if short is None else bytes_report(short.bytes_per_gpu),
        "reasons": [refusal.message for refusal in answer.refusals],
        "alternatives": steps + instead,
    }


def bytes_report(parts: BytesPerGpu) -> dict[str, int]:
    """The memory of one card, in bytes."""
    return {
        "weights": parts.weights,
        "kvCache": parts.kv_cache,
        "activations": parts.activations,
        "runtime": parts.runtime,
        "headroom": parts.headroom,
        "total": parts.total,
    }


def _change(gpu_type: str, found: Alternative | NextStep, change: str) -> dict[str, Any]:
    return {
        "change": change,
        "gpuType": gpu_type,
        "gpusPerReplica": found.gpus,
        "profile": str(found.profile),
        "safeTokens": found.safe_tokens,
    }
