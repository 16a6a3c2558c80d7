"""The answer for one card: the bar, the verdict, what else would do, and why not a smaller card."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.text import Text

from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.sizing import Demand, DoesNotFit, Plan, Profile
from meditron_operator.core.sizing.report import Alternative

MAX_LINES: Final = 4


def title(demand: Demand) -> Text:
    """What was asked."""
    packed = f" ({demand.packing.name})" if demand.packing else ""
    count = "" if demand.gpus is None else f"{demand.gpus} x "
    line = Text(f"{demand.weights_name}{packed} on {count}{demand.gpu.name}", style="bold")
    line.append(f"  {_requests(demand.concurrency, demand)} at once", style="not bold dim")
    return line


def verdict(demand: Demand, answer: Plan | DoesNotFit) -> Text:
    """One sentence, with the numbers."""
    if isinstance(answer, DoesNotFit):
        first, *rest = answer.refusals
        line = Text.assemble(("Does not fit: ", "bold red"), first.message)
        for refusal in rest[: MAX_LINES - 1]:
            line.append(f"\n  {refusal.message}")
        return line
    tight = ", in the tight profile" if answer.profile is Profile.TIGHT else ""
    line = Text.assemble(
        ("Fits: ", "bold green"),
        f"{_cards(answer.gpus_per_replica, demand.gpu.name)} a replica{tight}; "
        f"{_requests(answer.sequences_at_full_context, demand)} at once "
        f"({answer.safe_tokens:,} safe of {answer.kv_capacity_tokens:,} predicted tokens of KV cache).",
    )
    for remark in answer.remarks:
        line.append(f"\n{'Tight' if 'headroom' in remark else 'Note'}: {remark}.", style="yellow")
    return line


def steps(answer: Plan | DoesNotFit) -> Text:
    """Single changes that would make it fit; nothing where it does."""
    if isinstance(answer, Plan) or not answer.next_steps:
        return Text()
    return Text("To make it fit: " + ", or ".join(step.change for step in answer.next_steps) + ".")


def others(cards: Sequence[Alternative]) -> Text:
    """The other cards of the catalog that hold it."""
    if not cards:
        return Text("No other card of the catalog holds it.")
    named = (_cards(card.gpus, card.gpu_type) + (" (tight)" if card.profile is Profile.TIGHT else "") for card in cards)
    return Text("Holds it too, least memory first: " + ", ".join(named) + ".")


def refused(smaller: Iterable[tuple[Gpu, DoesNotFit]]) -> Text:
    """Why not a card with less memory: its nearest refusal each."""
    lines = Text()
    for gpu, answer in list(smaller)[:MAX_LINES]:
        lines.append("\n" if lines else "")
        lines.append(f"Not {gpu.name}: ", style="bold")
        lines.append(answer.refusals[0].message)
    return lines


def _requests(count: int, demand: Demand) -> str:
    return f"{count:,} request{'' if count == 1 else 's'} of {demand.context_tokens:,} tokens"


def _cards(count: int, name: str) -> str:
    return f"{count} x {name}"
