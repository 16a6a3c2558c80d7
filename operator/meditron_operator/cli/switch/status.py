"""`meditron status`: the truth about the switch, from what is stored and what is there, and of one deployment all."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from meditron_operator.cli.switch.asked import Asked, Target
from meditron_operator.cli.switch.described import HEAD, described, lines, row, table
from meditron_operator.cli.switch.failing import BAD_INPUT, DONE, Failed, failed, not_found
from meditron_operator.cli.switch.look import Looker, known
from meditron_operator.cli.switch.telling import Telling
from meditron_operator.cli.switch.tree import described as story
from meditron_operator.cli.switch.tree import tree
from meditron_operator.core.killswitch.effective import Scope
from meditron_operator.core.killswitch.sight import Sight
from meditron_operator.errors import ApiError, NotFoundError
from meditron_operator.shell.access import load_access
from meditron_operator.shell.person import Person, reaching


@dataclass(frozen=True, slots=True)
class Reading:
    """What was there when somebody looked."""

    target: Target
    sights: tuple[Sight, ...]
    now: datetime | None
    """By the API server's clock."""
    blind_to: str


def reading(asked: Asked) -> Reading:
    """Look once. Raises Failed."""
    try:
        access = load_access(asked.context)
    except ApiError as error:
        raise Failed(BAD_INPUT, str(error)) from None
    target = asked.target(access.namespace)

    async def run() -> Reading:
        async with reaching(access) as person:
            looker = Looker(person, target, asked.operator_namespace)
            sights, now = await asyncio.gather(_look(looker, person, target), _clock(person))
            return Reading(target, sights, now, looker.blind_to())

    return asyncio.run(run())


def status(asked: Asked, tell: Telling, *, as_json: bool) -> int:
    """Print it; the exit code. Raises Failed when it can't be read."""
    found = reading(asked)
    if found.blind_to:
        tell.warn(found.blind_to)
    if as_json:
        body = {"deployments": [described(each) | story(each) for each in found.sights]}
        print(json.dumps(body, indent=2, ensure_ascii=False))  # noqa: T201 - the answer
        return DONE
    show(found.sights, found.now, tell)
    if found.target.scope is Scope.DEPLOYMENT:
        from meditron_operator.cli.present.screen import screen  # noqa: PLC0415 - costs time before a stop is sent

        for line in (line for each in found.sights for line in tree(each, plain=screen().plain)):
            tell.say(line)
    if not found.sights:
        tell.say(f"no MeditronDeployment in {found.target}")
    return DONE


def show(sights: tuple[Sight, ...], now: datetime | None, tell: Telling) -> None:
    """A table, and below it what it has no room for."""
    if not sights:
        return
    for line in table([HEAD, *map(row, sights)]):
        tell.say(line)
    for sight in sights:
        for line in lines(sight, now):
            tell.say(f"{sight.namespace}/{sight.name}: {line}")


async def _look(looker: Looker, person: Person, target: Target) -> tuple[Sight, ...]:
    what = "nothing is known"
    try:
        return await looker.look()
    except NotFoundError as error:
        there = await known(person, target)
        if there is None or target.scope is Scope.DEPLOYMENT:
            raise not_found(_deployment(target), there, what) from None
        raise failed(error, what) from None
    except ApiError as error:
        raise failed(error, what) from None


def _deployment(target: Target) -> Target:
    return Target(scope=Scope.DEPLOYMENT, namespace=target.namespace, name=target.name)


async def _clock(person: Person) -> datetime | None:
    with suppress(ApiError):
        return (await person.myself()).now
    return None
