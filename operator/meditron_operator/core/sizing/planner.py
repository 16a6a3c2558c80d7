"""The decision: the smallest legal GPU count that fits, or every reason why none does."""

from fractions import Fraction
from typing import Final

from meditron_operator.core.sizing.advice import next_steps
from meditron_operator.core.sizing.demand import Demand, launch_dtype
from meditron_operator.core.sizing.fit import MEMORY_FRACTION, PROFILES, Fit, gib, measure, profile_applies, refusal
from meditron_operator.core.sizing.host import host_needs
from meditron_operator.core.sizing.memory import checkpoint_bytes, files_difference, formula_checkpoint_bytes
from meditron_operator.core.sizing.result import DoesNotFit, Plan, Profile, Refusal, RefusalReason
from meditron_operator.core.sizing.shards import legal_shard_counts, why_illegal
from meditron_operator.core.sizing.support import can_shard, unsupported, why_not_sharded

FILES_TOLERANCE: Final = Fraction(3, 100)
"""What the real files may differ from the formula without a word."""

MAX_GPUS_PER_NODE: Final = 8
"""One replica is one pod on one node; the usual GPU servers have 8. Asked for by number, more is taken."""


def plan(demand: Demand) -> Plan | DoesNotFit:
    """Sizes one replica. Pure: the same demand gives the same answer, to the byte."""
    decision = _decide(demand)
    if isinstance(decision, Fit):
        return _plan(demand, decision)
    return DoesNotFit(refusals=decision, next_steps=next_steps(demand, best_fit))


def best_fit(demand: Demand) -> Fit | None:
    """The sum behind the plan, if there is one; cheaper than a plan, since nothing is explained."""
    decision = _decide(demand)
    return decision if isinstance(decision, Fit) else None


def _decide(demand: Demand) -> Fit | tuple[Refusal, ...]:
    refused = unsupported(demand) or _illegal_count(demand)
    if refused:
        return refused
    tried: list[Fit] = []
    for settings in PROFILES:
        if not profile_applies(demand, settings):
            continue
        for count in _counts(demand):
            fit = measure(demand, count, settings)
            if fit.fits:
                return fit
            tried.append(fit)
    return _refusals(demand, tried)


def _counts(demand: Demand) -> tuple[int, ...]:
    """GPU counts to try, ascending."""
    if demand.gpus is not None:
        return (demand.gpus,)
    most = MAX_GPUS_PER_NODE if can_shard(demand.gpu) else 1
    return tuple(n for n in legal_shard_counts(demand) if n <= most)


def _illegal_count(demand: Demand) -> tuple[Refusal, ...]:
    """Refusals of a count that was asked for."""
    if demand.gpus is None:
        return ()
    why = why_illegal(demand, demand.gpus)
    if why is not None:
        reason = RefusalReason.ILLEGAL_SHARD_COUNT
        message = f"{demand.weights_name} cannot run on {demand.gpus} GPUs: {why}"
    elif demand.gpus > 1 and not can_shard(demand.gpu):
        reason = RefusalReason.NO_SHARDED_PATH
        message = f"{why_not_sharded(demand.gpu)}: one GPU only"
    else:
        return ()
    return (Refusal(reason=reason, message=message, gpus=demand.gpus),)


def _refusals(demand: Demand, tried: list[Fit]) -> tuple[Refusal, ...]:
    """One refusal a count, for the profile that came nearest; nearest count first."""
    nearest: dict[int, Fit] = {}
    for fit in sorted(tried, key=lambda fit: fit.missing_bytes):
        nearest.setdefault(fit.gpus, fit)
    return tuple(refusal(demand, fit) for fit in nearest.values())


def _plan(demand: Demand, fit: Fit) -> Plan:
    host = host_needs(demand, fit.gpus)
    return Plan(
        profile=fit.profile,
        gpus_per_replica=fit.gpus,
        bytes_per_gpu=fit.bytes_per_gpu,
        kv_capacity_tokens=fit.capacity_tokens,
        safe_tokens=fit.safe_tokens,
        sequences_at_full_context=fit.safe_tokens // demand.context_tokens,
        max_batch_prefill_tokens=fit.prefill_tokens,
        memory_fraction=float(MEMORY_FRACTION),
        wiggle_room=float(fit.settings.wiggle_room),
        dtype=launch_dtype(demand),
        host_memory_bytes=host.memory_bytes,
        shm_bytes=host.shm_bytes,
        ephemeral_storage_bytes=host.ephemeral_storage_bytes,
        cpus=host.cpus,
        remarks=_remarks(demand, fit),
        explanation=_explanation(demand, fit),
    )


def _explanation(demand: Demand, fit: Fit) -> str:
    parts = fit.bytes_per_gpu
    sequences = fit.safe_tokens // demand.context_tokens
    line = (
        f"{demand.weights_name} on {fit.gpus} x {demand.gpu.name} ({fit.profile}), "
        f"per GPU: weights {gib(parts.weights)} + KV cache {gib(parts.kv_cache)} "
        f"+ activations {gib(parts.activations)} + runtime {gib(parts.runtime)} "
        f"+ headroom {gib(parts.headroom)} = {gib(parts.total)}; "
        f"{fit.capacity_tokens:,} tokens, {fit.safe_tokens:,} of them safe: "
        f"{_plural(sequences, 'sequence')} of {demand.context_tokens:,} tokens at once"
    )
    return "; ".join([line, *_remarks(demand, fit)])


def _remarks(demand: Demand, fit: Fit) -> tuple[str, ...]:
    tight = "little headroom is left: test it under load before clients use it"
    remarks = [tight] if fit.profile is Profile.TIGHT else []
    difference = files_difference(demand)
    if abs(difference) > FILES_TOLERANCE:
        remarks.append(
            f"the weight files hold {checkpoint_bytes(demand):,} bytes, {float(difference):+.1%} "
            f"of the {formula_checkpoint_bytes(demand):,} that follow from the shape: the files are counted"
        )
    return tuple(remarks)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
