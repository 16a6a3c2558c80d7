"""One demand on every card of the catalog, at every count that a node has: the question before the purchase."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from meditron_operator.core.catalog.gpus import GPUS, Gpu
from meditron_operator.core.sizing.demand import Demand
from meditron_operator.core.sizing.planner import MAX_GPUS_PER_NODE, plan
from meditron_operator.core.sizing.result import DoesNotFit, Plan, Profile, RefusalReason
from meditron_operator.core.sizing.shards import legal_shard_counts

_MEMORY: Final = frozenset({RefusalReason.WEIGHTS_TOO_LARGE, RefusalReason.KV_CACHE_TOO_SMALL})

DemandOn = Callable[[Gpu, int], Demand]


class Outcome(Enum):
    """What a cell says."""

    FITS = auto()
    TOO_FEW = auto()
    """The weights fit, and fewer requests than asked."""
    DOES_NOT_FIT = auto()
    ILLEGAL = auto()
    """This count, card or quantization can't be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One card at one count."""

    gpus: int
    demand: Demand
    answer: Plan | DoesNotFit

    @property
    def outcome(self) -> Outcome:
        if isinstance(self.answer, Plan):
            return Outcome.FITS
        if self.answer.refusals[0].reason not in _MEMORY:
            return Outcome.ILLEGAL
        return Outcome.TOO_FEW if self.sequences else Outcome.DOES_NOT_FIT

    @property
    def tight(self) -> bool:
        return isinstance(self.answer, Plan) and self.answer.profile is Profile.TIGHT

    @property
    def sequences(self) -> int:
        """Full-length requests that are held, also where they are too few."""
        if isinstance(self.answer, Plan):
            return self.answer.sequences_at_full_context
        short = self.answer.refusals[0].shortfall
        return 0 if short is None else short.safe_tokens // self.demand.context_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One card at all counts."""

    gpu: Gpu
    cells: tuple[Cell, ...]

    @property
    def fits(self) -> bool:
        return any(cell.outcome is Outcome.FITS for cell in self.cells)

    @property
    def why_not(self) -> str:
        """The refusal of the largest count that could be, where no count fits; else nothing."""
        if self.fits:
            return ""
        possible = [cell for cell in self.cells if cell.outcome is not Outcome.ILLEGAL]
        answer = (possible or [self.cells[0]])[-1].answer
        return answer.refusals[0].message if isinstance(answer, DoesNotFit) else ""


def matrix(demand_on: DemandOn, gpus: int | None = None) -> tuple[Row, ...]:
    """Every card in the catalog's order, at `gpus` or at every count of a node that is legal on some card."""
    counts = _legal_counts(demand_on) if gpus is None else (gpus,)
    return tuple(Row(gpu=gpu, cells=tuple(_cell(demand_on(gpu, count)) for count in counts)) for gpu in GPUS.values())


def _legal_counts(demand_on: DemandOn) -> tuple[int, ...]:
    """At least 1, which is legal or says why nothing is."""
    legal = {count for gpu in GPUS.values() for count in legal_shard_counts(demand_on(gpu, 1))}
    return tuple(sorted(count for count in legal | {1} if count <= MAX_GPUS_PER_NODE))


def _cell(demand: Demand) -> Cell:
    assert demand.gpus is not None  # noqa: S101 - a cell is one count
    return Cell(gpus=demand.gpus, demand=demand, answer=plan(demand))
