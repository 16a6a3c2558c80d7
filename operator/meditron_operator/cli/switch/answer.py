"""The last words of a stop: proven, stopped as far as can be seen, or not stopped."""

from typing import Any, Final

from meditron_operator.cli.switch.described import described
from meditron_operator.cli.switch.kill import Seen
from meditron_operator.cli.switch.status import show as show_table
from meditron_operator.cli.switch.telling import Telling
from meditron_operator.core.killswitch.effective import Mode, Scope
from meditron_operator.core.killswitch.outcome import Standing

_STYLES: Final = {
    Standing.PROVEN: "bold green",
    Standing.UNPROVEN: "bold yellow",
    Standing.NOT_STOPPED: "bold red",
}
_MOST_WORDS: Final = 8


def show(seen: Seen, tell: Telling) -> None:
    """For people."""
    if seen.target.scope is not Scope.DEPLOYMENT:
        show_table(seen.sights, None, tell)
    tell.say(_verdict(seen, tell), _STYLES[seen.outcome.standing])
    head = "still there" if seen.outcome.standing is Standing.NOT_STOPPED else "not proven"
    for word in seen.outcome.missing[:_MOST_WORDS]:
        tell.say(f"  {head}: {word}")
    if len(seen.outcome.missing) > _MOST_WORDS:
        tell.say(f"  and {len(seen.outcome.missing) - _MOST_WORDS} more: meditron status {seen.target.command}")
    for step in seen.outcome.steps[:_MOST_WORDS]:
        tell.say(f"  next: {step}")


def as_json(seen: Seen, tell: Telling) -> dict[str, Any]:
    """For programs."""
    return {
        "scope": str(seen.target.scope),
        "namespace": seen.target.namespace,
        "name": seen.target.name or None,
        "stopped": None if _unseen(seen) else seen.outcome.standing is not Standing.NOT_STOPPED,
        "proven": seen.outcome.standing is Standing.PROVEN,
        "seconds": round(tell.seconds, 3),
        "missing": list(seen.outcome.missing),
        "next": list(seen.outcome.steps),
        "warnings": tell.warnings,
        "events": tell.events,
        "deployments": [described(each) for each in seen.sights],
    }


def _unseen(seen: Seen) -> bool:
    """Whether nobody looked, or could look, at the pods, and no guard speaks for them."""
    blind = not seen.sights or any(sight.pods is None for sight in seen.sights)
    return blind and seen.outcome.standing is Standing.UNPROVEN


def _verdict(seen: Seen, tell: Telling) -> str:
    held = bool(seen.sights) and all(sight.mode is Mode.HOLD for sight in seen.sights)
    word = "HELD, with the pods kept warm," if held else "STOPPED"
    match seen.outcome.standing:
        case Standing.PROVEN if not seen.sights:
            return f"STOPPED: {seen.target}; there is no deployment in it"
        case Standing.PROVEN:
            return f"{word} and proven after {tell.seconds:.1f} s: {seen.target}"
        case Standing.UNPROVEN if _unseen(seen):
            return f"STORED, and nothing is seen of what became of it ({tell.seconds:.1f} s): {seen.target}"
        case Standing.UNPROVEN:
            return f"{word} as far as can be seen, not proven ({tell.seconds:.1f} s): {seen.target}"
        case _:
            return f"NOT {'HELD' if held else 'STOPPED'} after {tell.seconds:.1f} s: {seen.target}"
