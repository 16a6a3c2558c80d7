"""How far a stop has come, as far as it can be told from outside: proven, stopped as far as can be seen, or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from meditron_operator.core.killswitch.effective import Engaged, Mode
from meditron_operator.core.killswitch.sight import Sight
from meditron_operator.core.killswitch.told import SwitchState

GUARD_SECONDS: Final = 5.0
"""How long a guard that lives may take for its first word."""
PROOF_SECONDS: Final = 15.0
"""How long a guard may take from the last pod's end to the proof: its probes wait for answers that must not come."""
QUIET_SECONDS: Final = 2.0
"""How long nothing may have been there: where the API server does not refuse them, new pods come within that."""


class Standing(IntEnum):
    """The best first; the values are exit codes."""

    PROVEN = 0
    NOT_STOPPED = 1
    UNPROVEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one deployment or of many."""

    standing: Standing
    missing: tuple[str, ...] = ()
    """What is still there, or what nobody could see."""
    steps: tuple[str, ...] = ()
    """What a person can do about it."""


def outcome(sight: Sight) -> Outcome:
    """Of one deployment."""
    if not isinstance(sight.off, Engaged):
        return Outcome(standing=Standing.NOT_STOPPED, missing=("the kill switch is no longer engaged",))
    still = _held_open(sight) if sight.mode is Mode.HOLD else _still_there(sight)
    if still:
        return Outcome(standing=Standing.NOT_STOPPED, missing=still, steps=_steps(sight))
    told = sight.told
    if told is not None and told.state is SwitchState.ENGAGED:
        return Outcome(standing=Standing.PROVEN)
    unseen = ("the pods, which you may not look at",) if sight.pods is None else ()
    missing = (*unseen, *_left_standing(sight), _unproven(sight))
    return Outcome(standing=Standing.UNPROVEN, missing=missing, steps=_unproven_steps(sight))


def together(found: Sequence[tuple[Sight, Outcome]]) -> Outcome:
    """Of all: it is as good as the worst. One deployment needs no name in front."""
    worst = max((each.standing for _, each in found), key=_badness, default=Standing.PROVEN)
    named = len(found) > 1
    missing = (f"{sight.name}: {word}" if named else word for sight, each in found for word in each.missing)
    steps = dict.fromkeys(step for _, each in found for step in each.steps)
    return Outcome(standing=worst, missing=tuple(missing), steps=tuple(steps))


def settled(found: Sequence[tuple[Sight, Outcome]], seconds: float, quiet: float) -> bool:
    """Whether waiting for more is of no use: all is proven, or what isn't never will be.

    A guard that said nothing for so long is not there; one that names a lost node waits for a person. `quiet`: for
    how long nothing of it was there any more.
    """
    if any(each.standing is Standing.NOT_STOPPED for _, each in found):
        return False
    unproven = [sight for sight, each in found if each.standing is Standing.UNPROVEN]
    patient = seconds >= GUARD_SECONDS and quiet >= QUIET_SECONDS
    return not unproven or (patient and not any(_works_on(sight, quiet) for sight in unproven))


def _badness(standing: Standing) -> int:
    return (Standing.PROVEN, Standing.UNPROVEN, Standing.NOT_STOPPED).index(standing)


def _works_on(sight: Sight, quiet: float) -> bool:
    """Whether the guard may still prove it."""
    if sight.told is None or sight.told.unconfirmed_pods:
        return False
    return sight.told.state is SwitchState.ENGAGING or quiet < PROOF_SECONDS


def _still_there(sight: Sight) -> tuple[str, ...]:
    found = [str(pod) for pod in sight.pods or ()]
    if sight.endpoints:
        found.append(f"{sight.endpoints} endpoints of its Service")
    if sight.shut is False and sight.replicas != 0:
        found.append("the API server still lets pods of it in")
    return tuple(found)


def _held_open(sight: Sight) -> tuple[str, ...]:
    return tuple(f"the open gate of pod {pod.name}" for pod in sight.pods or () if pod.open)


def _left_standing(sight: Sight) -> tuple[str, ...]:
    """What opens nothing while no pod is there, and should be gone all the same."""
    if sight.mode is Mode.HOLD:
        return ()
    found = ["the clients' policy stands"] if sight.policy else []
    if sight.replicas:
        found.append(f"its StatefulSet wants {sight.replicas}, which the API server refuses")
    return tuple(found)


def _unproven(sight: Sight) -> str:
    told = sight.told
    if told is None:
        return "no guard said anything, so nobody probed it from outside"
    return f"the guard says {told.state}" + (f": {told.message}" if told.message else "")


def _unproven_steps(sight: Sight) -> tuple[str, ...]:
    told = sight.told
    if told is not None and told.unconfirmed_pods:
        return tuple(f"make sure that node {pod.node} is off (pod {pod.name})" for pod in told.unconfirmed_pods)
    if told is None:
        return ("see whether the guard and the operator run",)
    return (f"look again: {_status(sight)}",)


def _steps(sight: Sight) -> tuple[str, ...]:
    if sight.mode is not Mode.HALT:
        harder = f"meditron kill {sight.name} -n {sight.namespace} --mode halt"
        return (f"look again: {_status(sight)}; to cut everything at once: {harder}",)
    if sight.shut is False:
        return ("install the admission policies of the chart, or scale its StatefulSet to 0",)
    ending = [pod for pod in sight.pods or () if pod.grace is not None]
    if ending and len(ending) == len(sight.pods or ()):
        nodes = ", ".join(sorted({pod.node for pod in ending if pod.node}))
        return (f"its kubelet doesn't end it: is node {nodes} alive? If it is lost, switch it off",)
    return (f"kubectl delete pods -n {sight.namespace} -l meditron.ai/deployment={sight.name} --grace-period=1",)


def _status(sight: Sight) -> str:
    return f"meditron status {sight.name} -n {sight.namespace}"
