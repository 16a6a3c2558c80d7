"""One deployment as a tree: its phase, its replicas, every condition with its words, and what to do next."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meditron_operator.core.advice import next_steps
from meditron_operator.core.killswitch.sight import Sight

Condition = Mapping[str, Any]


def tree(sight: Sight, *, plain: bool) -> Iterator[str]:
    """Its lines; the last ones say what to do, or that nothing has to be done. `plain`: in ASCII."""
    yield _head(sight)
    *before, last = _branches(sight)
    yield from (f"{'|- ' if plain else '├─ '}{line}" for line in before)
    yield f"{'`- ' if plain else '└─ '}{last}"


def _branches(sight: Sight) -> Iterator[str]:
    if not _mapping(sight.body.get("status")):
        yield "next: the operator has not said anything yet; look at its log"
        return
    for condition in conditions(sight):
        told = f"{condition.get('type')}: {condition.get('status')}, {condition.get('reason')}"
        yield f"{told}. {condition.get('message', '')}"
    for pod in sight.pods or ():
        yield f"{pod}" + ("" if pod.open else ", no clients")
    yield from (f"next: {line}" for line in advice(sight) or ["nothing has to be done"])


def conditions(sight: Sight) -> Sequence[Condition]:
    """As they are stored; whatever is not one is left out."""
    stored = _mapping(sight.body.get("status")).get("conditions")
    return [each for each in stored if isinstance(each, Mapping)] if isinstance(stored, list) else []


def advice(sight: Sight) -> list[str]:
    """What to do, in the order of the conditions."""
    return [f"{step} ({type_})" for type_, step in next_steps(conditions(sight))]


def described(sight: Sight) -> dict[str, Any]:
    """The same as data."""
    status = _mapping(sight.body.get("status"))
    return {
        "phase": status.get("phase"),
        "ready": status.get("ready"),
        "conditions": [dict(each) for each in conditions(sight)],
        "advice": advice(sight),
    }


def _head(sight: Sight) -> str:
    status = _mapping(sight.body.get("status"))
    generation = _mapping(sight.body.get("metadata")).get("generation", 0)
    behind = "; the latest change is not looked at yet" if status.get("observedGeneration", 0) != generation else ""
    told = f"{status.get('phase')} ({status.get('reason')}), {status.get('ready')} replicas ready{behind}"
    return f"{sight.namespace}/{sight.name}  {told if status else ''}".rstrip()


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
