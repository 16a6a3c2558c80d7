"""`meditron release`, `approve` and `resume`: the steps of people, each checked before the API server is asked."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from meditron_operator import names
from meditron_operator.cli.switch.asked import Asked, Target
from meditron_operator.cli.switch.failing import BAD_INPUT, DONE, Failed, failed, not_found
from meditron_operator.cli.switch.look import Looker, known
from meditron_operator.cli.switch.telling import Telling
from meditron_operator.core.killswitch import steps
from meditron_operator.core.killswitch.effective import Annotations, Scope
from meditron_operator.core.killswitch.steps import Changes, Nothing, Refusal, Step, clock
from meditron_operator.errors import ApiError, ConflictError, NotFoundError
from meditron_operator.shell.access import load_access
from meditron_operator.shell.cluster import DEPLOYMENTS, NAMESPACES, Resource
from meditron_operator.shell.person import Myself, Person, reaching

_TRIES = 10
"""The status of what carries the annotation changes too, and each change takes the write another look."""

Sure = Callable[[str], bool]
"""Asks the person, after saying these words."""


@dataclass(frozen=True, slots=True)
class Act:
    """One of the three steps."""

    decide: Callable[[Annotations, Step], Changes | Refusal | Nothing]
    undone: str
    """What to say first when it was not taken."""
    done: Callable[[Annotations, Step], str]
    ask: Callable[[Annotations, Step], str] | None = None


def _requested(_: Annotations, step: Step) -> str:
    until = clock(step.at + steps.RELEASE_WINDOW)
    return (
        f"release of {step.what} requested by {step.me}: it stays off; until {until} (15 minutes) "
        f"somebody else who may approve runs: meditron approve {step.target}"
    )


def _question(annotations: Annotations, step: Step) -> str:
    by, at = annotations.get(names.RELEASE_REQUESTED_BY), annotations.get(names.RELEASE_REQUESTED_AT)
    stopper = annotations.get(names.KILLED_BY, "somebody (see the API audit log)")
    reason = annotations.get(names.KILL_REASON, "no reason given")
    mode = annotations.get(names.KILL_SWITCH)
    return f"{by} asked for the release of {step.what} at {at}.\nStopped by {stopper} ({mode}): {reason}"


def _approved(annotations: Annotations, step: Step) -> str:
    by = annotations.get(names.RELEASE_REQUESTED_BY)
    until = f"It stays off until: meditron resume {step.target}"
    return f"released {step.what}: requested by {by}, approved by {step.me}. {until}"


def _resumed(_: Annotations, step: Step) -> str:
    return f"resumed by {step.me}: {step.what}"


RELEASE = Act(steps.request, "no release was requested", _requested)
APPROVE = Act(steps.approve, "not released", _approved, _question)
RESUME = Act(steps.resume, "not resumed", _resumed)


def take(act: Act, asked: Asked, tell: Telling, sure: Sure) -> int:
    """Take the step; the exit code. Raises Failed."""
    try:
        access = load_access(asked.context)
    except ApiError as error:
        raise Failed(BAD_INPUT, f"{act.undone}: {error}") from None
    target = asked.target(access.namespace)

    async def run() -> int:
        async with reaching(access) as person:
            try:
                code = await _take(person, act, target, tell, sure)
            except NotFoundError:
                raise not_found(target, await known(person, target), act.undone) from None
            except ApiError as error:
                raise failed(error, act.undone) from None
            await _still_off(Looker(person, target, asked.operator_namespace), act, tell)
            return code

    return asyncio.run(run())


async def _take(person: Person, act: Act, target: Target, tell: Telling, sure: Sure) -> int:
    resource = DEPLOYMENTS if target.scope is Scope.DEPLOYMENT else NAMESPACES
    agreed: Annotations | None = None
    for _ in range(_TRIES):
        myself, obj = await asyncio.gather(person.myself(), person.one(resource, target.carrier))
        annotations, step = _annotations(obj), _step(myself, target)
        decided = act.decide(annotations, step)
        if isinstance(decided, Refusal):
            raise Failed(BAD_INPUT, f"{act.undone}: {decided.words}")
        if isinstance(decided, Nothing):
            tell.say(f"nothing changed: {decided.words}")
            return DONE
        if act.ask is not None and agreed != annotations:
            if not sure(act.ask(annotations, step)):
                raise Failed(BAD_INPUT, f"{act.undone}: you did not agree")
            agreed = annotations
        if await _written(person, resource, target, obj, decided):
            tell.note(act.done(annotations, step))
            return DONE
    raise Failed(BAD_INPUT, f"{act.undone}: it changes too often: run it again, which is safe")


async def _written(
    person: Person, resource: Resource, target: Target, obj: Mapping[str, Any], changes: Changes
) -> bool:
    """Exactly what was looked at is changed; False when it is another by now."""
    try:
        await person.step(resource, target.carrier, changes, obj["metadata"]["resourceVersion"])
    except ConflictError:
        return False
    return True


async def _still_off(looker: Looker, act: Act, tell: Telling) -> None:
    """After a resume: what another scope keeps off all the same."""
    if act is not RESUME:
        return
    try:
        seen = await looker.look()
    except ApiError:
        return
    for sight in seen:
        if sight.off is not None:
            tell.say(f"{sight.namespace}/{sight.name} is still off: {sight.off}")


def _annotations(obj: Mapping[str, Any]) -> Annotations:
    return {
        key: value for key, value in (obj["metadata"].get("annotations") or {}).items() if key.startswith(names.GROUP)
    }


def _step(myself: Myself, target: Target) -> Step:
    return Step(me=myself.name, at=myself.now, what=str(target), target=target.command)
