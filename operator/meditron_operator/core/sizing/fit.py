"""One demand at one GPU count in one profile: does it fit, and if not, by how much."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from meditron_operator.core.catalog.gpus import BYTES_PER_GIB
from meditron_operator.core.sizing.attention import attention_of
from meditron_operator.core.sizing.demand import Demand
from meditron_operator.core.sizing.memory import (
    RUNTIME_BYTES,
    BytesPerGpu,
    activation_bytes,
    kv_bytes_per_token,
    weight_bytes,
)
from meditron_operator.core.sizing.result import Profile, Refusal, RefusalReason, Shortfall

SAFETY: Final = Fraction(8, 10)
"""The estimate of capacity is good to 20 %: what is promised is this part of it."""

MEMORY_FRACTION: Final = Fraction(1)
"""CUDA_MEMORY_FRACTION: the card is ours alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a profile asks of the card."""

    profile: Profile
    wiggle_room: Fraction
    """TGI_WIGGLE_ROOM: the part of the card that TGI gives out."""
    prefill_tokens: int
    """MAX_BATCH_PREFILL_TOKENS at most."""
    needs_chunked_prefill: bool


STANDARD: Final = Settings(
    profile=Profile.STANDARD,
    wiggle_room=Fraction(90, 100),  # default of TGI 3.3 (models/globals.py:32); CUDA graphs live in the rest
    prefill_tokens=4_096,  # what TGI itself takes when it does not know the card (launcher main.rs:2113)
    needs_chunked_prefill=False,
)
TIGHT: Final = Settings(
    profile=Profile.TIGHT,
    wiggle_room=Fraction(95, 100),  # default of TGI 3.0
    prefill_tokens=512,  # small enough that activations stop to matter
    needs_chunked_prefill=True,
)
PROFILES: Final = (STANDARD, TIGHT)
"""In the order in which they are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The sum for one GPU, and what follows from it.

    `kv_cache` of the bytes is negative when the rest takes more than there is.
    """

    settings: Settings
    gpus: int
    bytes_per_gpu: BytesPerGpu
    prefill_tokens: int
    kv_bytes_per_token: int
    capacity_tokens: int
    """0 when no byte is left."""
    wanted_tokens: int

    @property
    def profile(self) -> Profile:
        return self.settings.profile

    @property
    def safe_tokens(self) -> int:
        return int(self.capacity_tokens * SAFETY)

    @property
    def fits(self) -> bool:
        return self.safe_tokens >= self.wanted_tokens

    @property
    def missing_bytes(self) -> Fraction:
        """How much more budget one GPU would need; an order among refusals."""
        return self.wanted_tokens / SAFETY * self.kv_bytes_per_token - self.bytes_per_gpu.kv_cache


def profile_applies(demand: Demand, settings: Settings) -> bool:
    """Whether the engine can run this profile here at all."""
    chunks = attention_of(demand.model, demand.gpu).chunks_prefill
    return chunks or not settings.needs_chunked_prefill


def measure(demand: Demand, gpus: int, settings: Settings) -> Fit:
    """The sum of one GPU's memory."""
    prefill = _prefill_tokens(demand, settings)
    parts = _bytes_per_gpu(demand, gpus, settings, prefill)
    per_token = kv_bytes_per_token(demand.model, gpus, demand.kv_cache_dtype)
    block = attention_of(demand.model, demand.gpu).block_tokens
    return Fit(
        settings=settings,
        gpus=gpus,
        bytes_per_gpu=parts,
        prefill_tokens=prefill,
        kv_bytes_per_token=per_token,
        capacity_tokens=max(0, parts.kv_cache // (per_token * block) * block),
        wanted_tokens=demand.wanted_tokens,
    )


def refusal(demand: Demand, fit: Fit) -> Refusal:
    """Why this fit is none, with the numbers that failed."""
    parts = fit.bytes_per_gpu
    what = f"{demand.weights_name} does not fit on {fit.gpus} x {demand.gpu.name}"
    if parts.kv_cache <= 0:
        reason = RefusalReason.WEIGHTS_TOO_LARGE
        why = (
            f"weights {gib(parts.weights)} + activations {gib(parts.activations)} "
            f"+ runtime {gib(parts.runtime)} "
            f"exceed the {_budget_name(fit)} of {gib(parts.budget)} by {gib(-parts.kv_cache)}"
        )
    else:
        reason = RefusalReason.KV_CACHE_TOO_SMALL
        why = (
            f"{fit.safe_tokens:,} safe tokens of KV cache "
            f"({gib(parts.kv_cache)} of the {_budget_name(fit)} of {gib(parts.budget)}), "
            f"{fit.wanted_tokens:,} wanted ({demand.concurrency} x {demand.context_tokens:,})"
        )
    shortfall = Shortfall(
        profile=fit.profile,
        bytes_per_gpu=parts,
        kv_capacity_tokens=fit.capacity_tokens,
        safe_tokens=fit.safe_tokens,
    )
    return Refusal(reason=reason, message=f"{what}: {why}", gpus=fit.gpus, shortfall=shortfall)


def gib(size_bytes: int) -> str:
    return f"{size_bytes / BYTES_PER_GIB:.1f} GiB"


def _budget_name(fit: Fit) -> str:
    return "budget" if fit.profile is Profile.STANDARD else f"{fit.profile} budget"


def _prefill_tokens(demand: Demand, settings: Settings) -> int:
    """A prompt longer than this is cut in chunks, where the engine can; else it must go in at once."""
    if not attention_of(demand.model, demand.gpu).chunks_prefill:
        return demand.context_tokens
    return min(settings.prefill_tokens, demand.context_tokens)


def _bytes_per_gpu(demand: Demand, gpus: int, settings: Settings, prefill: int) -> BytesPerGpu:
    total = demand.gpu.cuda_total_bytes
    budget = int(total * MEMORY_FRACTION * settings.wiggle_room)
    weights = weight_bytes(demand, gpus)
    activations = activation_bytes(demand, gpus, prefill)
    return BytesPerGpu(
        weights=weights,
        kv_cache=budget - weights - activations - RUNTIME_BYTES,
        activations=activations,
        runtime=RUNTIME_BYTES,
        headroom=total - budget,
        total=total,
    )
