"""Whether the plan is still the best one for this cluster."""

from collections.abc import Mapping
from typing import Any

from meditron_operator.core.auto import tell
from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.status.condition import Condition, Truth, Type
from meditron_operator.core.status.view import View
from meditron_operator.names import child_name


def plan_current(view: View) -> Condition:
    """Whether `gpu.type: auto` would choose the same card today. It never moves what serves: this says so instead."""
    accepted = view.accepted
    if accepted is None:
        return _current(Truth.UNKNOWN, "NotAccepted", "no card is chosen while the spec is not accepted")
    card = accepted.sized.demand.gpu.name
    if accepted.choice is None:
        return _current(Truth.TRUE, "Fixed", f"spec.gpu.type names {card}")
    choice = accepted.choice
    if choice.gone:
        instead = f"; {choice.better.gpu_type} would be chosen now" if choice.better else ""
        return _current(Truth.FALSE, "CardGone", f"no node has {card} any more{instead}")
    if choice.better is not None:
        each, better = accepted.sized.plan.gpus_per_replica, choice.better
        message = (
            f"{better.gpus_per_replica} x {better.gpu_type} per replica ({better.profile}) would be chosen now, "
            f"not {each} x {card} ({accepted.sized.plan.profile}); {_how_to_move(view, better.gpu_type)}"
        )
        return _current(Truth.FALSE, "BetterChoice", message)
    if choice.barred:
        return _current(Truth.FALSE, "CardBarred", f"no card would be chosen now, so it stays {card}: {choice.barred}")
    return _current(Truth.TRUE, "Current", f"{card} is what would be chosen now")


def _how_to_move(view: View, card: str) -> str:
    """The spec can name the cards of the table only; without its StatefulSet a deployment chooses anew."""
    if card in GPUS:
        return f"to move, with a restart, set spec.gpu.type to {card}"
    return f"to move, with a restart, delete StatefulSet {child_name(view.case.owner.name)}"


def _current(status: Truth, reason: str, message: str) -> Condition:
    return Condition(Type.PLAN_CURRENT, status, reason, message)


def gpu_choice(view: View, previous: Mapping[str, Any]) -> dict[str, Any]:
    """`gpuChoice` of the status. It tells of the moment of the choice: while card and spec stay the same so does it,
    or every pod that anybody starts on a GPU would have it written anew."""
    if view.accepted is None or view.accepted.choice is None:
        return {}
    choice, told = view.accepted.choice, previous.get("gpuChoice")
    same_spec = previous.get("observedGeneration") == view.case.generation
    if choice.kept and same_spec and isinstance(told, Mapping) and told.get("gpuType") == choice.gpu.name:
        return {"gpuChoice": told}
    return {"gpuChoice": tell(choice)}
