"""The choice: what fits is ranked, what is serving stays, and every card that was passed over is told why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from meditron_operator.core.auto.current import Current
from meditron_operator.core.auto.offers import Market, Offer, Refused, Terms
from meditron_operator.core.capacity import free_gpus
from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.observed import Node, Pod
from meditron_operator.core.sizing import Demand, DoesNotFit, Plan, Profile, plan
from meditron_operator.core.sizing.fit import gib
from meditron_operator.core.sizing.memory import kv_bytes_per_token
from meditron_operator.core.sizing.planner import best_fit

MOST_LISTED: Final = 16
"""Runners-up and refusals that are told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What has to find a place."""

    on: Callable[[Gpu], Demand]
    terms: Terms
    replicas: int
    others: tuple[Pod, ...]  # that hold GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerUp:
    """A card that would do too."""

    gpu_type: str
    gpus_per_replica: int
    profile: Profile
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The card, and what became of the others."""

    gpu: Gpu
    plan: Plan
    reason: str
    runners_up: tuple[RunnerUp, ...]
    refusals: tuple[Refused, ...]
    kept: bool  # it was the card before
    better: RunnerUp | None  # what would be chosen now, were this card not kept
    gone: bool  # no node has this card any more
    barred: str  # why none of the nodes that have it would do now; empty where one would


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A card on which the demand fits, and on whose nodes a replica has a place."""

    gpu: Gpu
    plan: Plan
    room: int  # replicas that could start now
    rooms_wanted: int
    spare_bytes: int  # of one replica's GPUs, beyond what the demand takes
    free: int  # GPUs
    free_nodes: int  # with room for a replica

    @property
    def has_room(self) -> bool:
        return self.room >= self.rooms_wanted

    @property
    def rank(self) -> tuple[bool, bool, int, int, int, str]:
        """The least is the best."""
        tight = self.plan.profile is Profile.TIGHT
        return not self.has_room, tight, self.plan.gpus_per_replica, self.spare_bytes, -self.free_nodes, self.gpu.name

    @property
    def line(self) -> str:
        room = "" if self.has_room else f", room for {self.room} of {self.rooms_wanted} replicas now"
        nodes = f"{self.free_nodes} node{'' if self.free_nodes == 1 else 's'} with room"
        return (
            f"{self.plan.gpus_per_replica} x {self.gpu.name} per replica ({self.plan.profile}), "
            f"{gib(self.spare_bytes)} more than needed; {self.free} free, {nodes}{room}"
        )

    @property
    def runner_up(self) -> RunnerUp:
        each, profile = self.plan.gpus_per_replica, self.plan.profile
        return RunnerUp(gpu_type=self.gpu.name, gpus_per_replica=each, profile=profile, reason=self.line)


def choose(wanted: Wanted, market: Market, current: Current | None) -> Choice | tuple[Refused, ...]:
    """The card to use, or why none will do.

    `current` is kept while it serves and the demand fits on it, and while it has room or nothing else has: so a
    change of the nodes only ever moves what is not serving.
    """
    seen = _with_current(market, current.gpu) if current and current.serving else market
    judged = [_judge(wanted, offer) for offer in seen.offers]
    ranked = sorted((each for each in judged if isinstance(each, _Candidate)), key=lambda each: each.rank)
    refusals = tuple(sorted((*seen.refusals, *(each for each in judged if isinstance(each, Refused))), key=_by_name))
    kept = _kept(wanted, current, ranked)
    if kept is None and not ranked:
        return refusals
    chosen = kept or ranked[0]
    better = ranked[0].runner_up if ranked and ranked[0].gpu.name != chosen.gpu.name else None
    return Choice(
        gpu=chosen.gpu,
        plan=chosen.plan,
        reason=chosen.line,
        runners_up=tuple(each.runner_up for each in ranked if each.gpu.name != chosen.gpu.name)[:MOST_LISTED],
        refusals=tuple(each for each in refusals if each.gpu_type != chosen.gpu.name)[:MOST_LISTED],
        kept=kept is not None,
        better=better,
        gone=seen.offer(chosen.gpu.name) is None,
        barred=next((each.reason for each in refusals if each.gpu_type == chosen.gpu.name), ""),
    )


def _with_current(market: Market, current: Gpu) -> Market:
    """What serves keeps the facts by which it was sized, whatever the labels of its nodes say by now."""
    offers = tuple(
        _as_remembered(offer, current) if offer.gpu.name == current.name else offer for offer in market.offers
    )
    return replace(market, offers=offers)


def _as_remembered(offer: Offer, current: Gpu) -> Offer:
    nodes = tuple(node for node in offer.nodes if node.labels.get(current.product_label) in current.products)
    others = (f"{node.name} has the card under another product label" for node in offer.nodes if node not in nodes)
    return replace(offer, gpu=current, nodes=nodes, barred=(*offer.barred, *others))


def _kept(wanted: Wanted, current: Current | None, ranked: list[_Candidate]) -> _Candidate | None:
    """The current card, if it stays."""
    if current is None:
        return None
    here = next((each for each in ranked if each.gpu.name == current.gpu.name), None)
    if here is None:
        there = _on_card(wanted, current.gpu)
        settled = there is not None and current.stays_put(wanted.terms, there.plan.gpus_per_replica)
        return there if not ranked or (current.serving and settled) else None
    return here if current.serving or here.has_room or not ranked[0].has_room else None


def _on_card(wanted: Wanted, current: Gpu) -> _Candidate | None:
    """A card without a node that will do; the demand may fit on it all the same."""
    answer = plan(wanted.on(current))
    return None if isinstance(answer, DoesNotFit) else _candidate(wanted, current, answer, ())


def _judge(wanted: Wanted, offer: Offer) -> _Candidate | Refused:
    gpu = offer.gpu
    if not offer.nodes:
        return Refused(gpu.name, f"no node may be used: {_first(offer.barred)}")
    answer = plan(wanted.on(gpu))
    if isinstance(answer, DoesNotFit):
        return Refused(gpu.name, answer.message)
    lacks = {node.name: _lack(node, gpu, answer) for node in offer.nodes}
    usable = tuple(node for node in offer.nodes if lacks[node.name] is None)
    if not usable:
        nearest = max(offer.nodes, key=lambda node: (node.gpus.get(gpu.resource_name, 0), node.memory_bytes, node.name))
        why = f"a replica needs {answer.gpus_per_replica} x {gpu.name} on one node, and {nearest.name}"
        return Refused(gpu.name, f"{why} {lacks[nearest.name]}{_with_fewer(wanted.on(gpu), nearest, answer)}")
    return _candidate(wanted, gpu, answer, usable)


def _lack(node: Node, gpu: Gpu, answer: Plan) -> str | None:
    """What a node has too little of for one replica, were it empty; the end of a sentence."""
    held = node.gpus.get(gpu.resource_name, 0)
    if held < answer.gpus_per_replica:
        return f"has {held}"
    if node.memory_bytes < answer.host_memory_bytes:
        return f"has {gib(node.memory_bytes)} of host memory for the {gib(answer.host_memory_bytes)} that it takes"
    if node.ephemeral_storage_bytes < answer.ephemeral_storage_bytes:
        has, takes = gib(node.ephemeral_storage_bytes), gib(answer.ephemeral_storage_bytes)
        return f"has {has} of ephemeral storage for the {takes} that it takes"
    return f"has {node.cpus} CPUs for the {answer.cpus} that it takes" if node.cpus < answer.cpus else None


def _with_fewer(demand: Demand, node: Node, answer: Plan) -> str:
    """What a person may ask for where the planner, which prefers more GPUs to a tight fit, asks for too many."""
    held = node.gpus.get(demand.gpu.resource_name, 0)
    if demand.gpus is not None or held >= answer.gpus_per_replica:
        return ""
    count = next((count for count in range(held, 0, -1) if best_fit(replace(demand, gpus=count))), None)
    return "" if count is None else f"; with gpu.count {count} it would fit tightly"


def _candidate(wanted: Wanted, gpu: Gpu, answer: Plan, nodes: tuple[Node, ...]) -> _Candidate:
    each = answer.gpus_per_replica
    free = free_gpus(nodes, wanted.others, gpu.resource_name)
    return _Candidate(
        gpu=gpu,
        plan=answer,
        room=sum(count // each for count in free.values()),
        rooms_wanted=max(1, wanted.replicas),
        spare_bytes=_spare_bytes(wanted.on(gpu), answer),
        free=sum(free.values()),
        free_nodes=sum(count >= each for count in free.values()),
    )


def _spare_bytes(demand: Demand, answer: Plan) -> int:
    """Memory of one replica's GPUs that the demand does not take."""
    parts, each = answer.bytes_per_gpu, answer.gpus_per_replica
    cache = demand.wanted_tokens * kv_bytes_per_token(demand.model, each, demand.kv_cache_dtype)
    return each * (parts.total - parts.fixed - cache)


def _by_name(refused: Refused) -> str:
    return refused.gpu_type


def _first(items: Iterable[str], most: int = 3) -> str:
    items = tuple(items)
    rest = len(items) - most
    return ", ".join((*items[:most], f"and {rest} more") if rest > 0 else items)
