"""The answer for programs: the JSON of `meditron plan`, whose keys are stable once released."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.sizing.demand import Demand
from meditron_operator.core.sizing.fit import Fit
from meditron_operator.core.sizing.memory import BytesPerGpu
from meditron_operator.core.sizing.planner import best_fit
from meditron_operator.core.sizing.result import DoesNotFit, Plan, Profile

MAX_ALTERNATIVES: Final = 5
"""Other cards that are named; the matrix has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCard:
    """A card of the catalog that holds the same demand."""

    gpu_type: str
    gpus: int
    profile: Profile
    safe_tokens: int


def other_cards(demand: Demand) -> tuple[OtherCard, ...]:
    """The other cards that hold the demand, least memory first: those tend to cost least."""
    cards = (card for card in GPUS.values() if card.name != demand.gpu.name)
    found = ((card, best_fit(replace(demand, gpu=card, gpus=None))) for card in cards)
    fitting = [(card, fit) for card, fit in found if fit is not None]
    fitting.sort(key=lambda pair: (pair[1].profile is Profile.TIGHT, pair[1].gpus * pair[0].memory_mib))
    return tuple(_other(card.name, fit) for card, fit in fitting[:MAX_ALTERNATIVES])


def _other(name: str, fit: Fit) -> OtherCard:
    return OtherCard(gpu_type=name, gpus=fit.gpus, profile=fit.profile, safe_tokens=fit.safe_tokens)


def report(demand: Demand, answer: Plan | DoesNotFit, others: Iterable[OtherCard] = ()) -> dict[str, Any]:
    """One answer; the same keys whether it fits or not, null where there is nothing to say."""
    alternatives = [_alternative(card.gpu_type, card, f"use {card.gpus} x {card.gpu_type}") for card in others]
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
            "alternatives": alternatives,
        }
    nearest = answer.refusals[0]
    short = nearest.shortfall
    steps = [_alternative(demand.gpu.name, step, step.change) for step in answer.next_steps]
    return {
        "fits": False,
        "profile": None if short is None else str(short.profile),
        "gpusPerReplica": nearest.gpus,
        "kvCapacityTokens": None if short is None else short.kv_capacity_tokens,
        "safeTokens": None if short is None else short.safe_tokens,
        "sequencesAtFullContext": None if short is None else short.safe_tokens // demand.context_tokens,
        "bytesPerGPU": None if short is None else bytes_report(short.bytes_per_gpu),
        "reasons": [refusal.message for refusal in answer.refusals],
        "alternatives": steps + alternatives,
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


def _alternative(gpu_type: str, found: Any, change: str) -> dict[str, Any]:
    return {
        "change": change,
        "gpuType": gpu_type,
        "gpusPerReplica": found.gpus,
        "profile": str(found.profile),
        "safeTokens": found.safe_tokens,
    }
