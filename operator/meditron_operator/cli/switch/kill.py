"""`meditron kill`: first the annotation, before anything else is asked; then what can be seen of the stop."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from meditron_operator import names
from meditron_operator.cli.switch.asked import Asked, Target
from meditron_operator.cli.switch.failing import BAD_INPUT, INTERRUPTED, Failed, failed, not_found
from meditron_operator.cli.switch.look import Looker, known
from meditron_operator.cli.switch.telling import Telling
from meditron_operator.core.killswitch import drill
from meditron_operator.core.killswitch.drill import is_drill
from meditron_operator.core.killswitch.effective import Annotations, Mode, Scope
from meditron_operator.core.killswitch.outcome import Outcome, Standing, outcome, settled, together
from meditron_operator.core.killswitch.sight import Key, Sight, engaged_since, last_written
from meditron_operator.core.killswitch.steps import engage
from meditron_operator.core.killswitch.timeline import events
from meditron_operator.core.live import Ref
from meditron_operator.errors import (
    ApiError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UntrustedError,
)
from meditron_operator.shell.access import load_access
from meditron_operator.shell.cluster import DEPLOYMENTS, NAMESPACES, Resource
from meditron_operator.shell.person import HALT_GRACE_SECONDS, Person, reaching

OTHERS_SECONDS: Final = 1.0
"""How long the guard and the operator have for the pods, before we take them away ourselves."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_LOOK_SECONDS, _LATER_LOOK_SECONDS, _LATER = 0.2, 1.0, 15.0
_SAME_MOMENT: Final = timedelta(seconds=3)
_STRONGER: Final = "a stronger kill switch is engaged already"
_NOT_BY_ME: Final = "killed-by is the name of who engages"
_NO_STAMP: Final = f"{names.KIND} not found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be stored, and how long it is waited for."""

    mode: Mode
    reason: str | None
    ticket: str | None
    seconds: float
    wait: bool
    warnings: tuple[str, ...] = ()
    """What was withheld."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look, and what it comes to."""

    target: Target
    outcome: Outcome
    sights: tuple[Sight, ...]


def kill(asked: Asked, order: Order, tell: Telling) -> Seen:
    """Stop it, and wait for the proof. Raises Failed when it could not even be asked for."""
    try:
        access = load_access(asked.context)
    except ApiError as error:
        raise Failed(BAD_INPUT, f"not stopped: {error}") from None
    target = asked.target(access.namespace)
    stop = _Stop(target, order, tell, asked.operator_namespace)

    async def run() -> Seen:
        async with reaching(access, max(order.seconds, 1.0)) as person:
            return await stop.run(person)

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        told = "the stop stays" if stop.stored else "not known whether the stop is stored"
        raise Failed(INTERRUPTED, f"interrupted: {told}: meditron status {target.command}") from None


class _Stop:
    """One stop on its way."""

    def __init__(self, target: Target, order: Order, tell: Telling, operator_namespace: str) -> None:
        self._target = target
        self._order = order
        self._tell = tell
        self._operator_namespace = operator_namespace
        self._ended: set[str] = set()
        self._before: dict[Key, Sight] = {}
        self._told: set[str] = set()
        self.stored = False

    async def run(self, person: Person) -> Seen:
        self._tell.start()
        obj = await self._store(person, self._order.mode, self._order.reason)
        self.stored = True
        if self._order.reason != drill.REASON and is_drill(_annotations(obj)):
            obj = await self._overrule(person, obj)
        self._tell_stored(obj)
        looker = Looker(person, self._target, self._operator_namespace)
        looker.stored = obj if self._target.scope is Scope.DEPLOYMENT else None
        await self._tell_if_old(person, obj)
        if not self._order.wait:
            return Seen(self._target, _unwaited(self._target), ())
        return await self._watch(person, looker)

    async def _store(self, person: Person, mode: Mode, reason: str | None) -> Mapping[str, Any]:
        """The PATCH, until it is answered. Nothing is asked before it."""
        changes = dict(engage(mode, reason, self._order.ticket))
        pause = _FIRST_PAUSE
        while True:
            try:
                return await person.stop(self._resource, self._target.carrier, changes)
            except (UnauthorizedError, UntrustedError) as error:
                raise failed(error, self._not_stopped) from None
            except NotFoundError:
                raise not_found(self._target, await known(person, self._target), self._not_stopped) from None
            except RefusedError as error:
                if _NOT_BY_ME in str(error) and changes.pop(names.KILLED_BY, None):
                    continue
                if _STRONGER not in str(error):
                    raise failed(error, self._not_stopped) from None
                self._tell.event("a stronger stop stands already, and stays")
                return await self._standing(person)
            except (UnavailableError, ConflictError) as error:
                if self._tell.seconds + pause > self._order.seconds:
                    raise failed(error, self._not_stopped) from None
                self._warn_once(f"the API server does not take the stop yet, trying again: {error}")
                rest = asyncio.sleep(min(error.retry_after or pause, _LONGEST_PAUSE))
                signature, _ = await asyncio.gather(self._signature(person, error), rest)
                changes |= signature
                pause = min(2 * pause, _LONGEST_PAUSE)

    @staticmethod
    async def _signature(person: Person, error: ApiError) -> Mapping[str, str]:
        """The own name, for a server that can't write it down yet: it takes at once what is signed already."""
        if _NO_STAMP in str(error):
            with suppress(ApiError):
                return {names.KILLED_BY: (await person.myself()).name}
        return {}

    async def _overrule(self, person: Person, standing: Mapping[str, Any]) -> Mapping[str, Any]:
        """A drill stood: what would be released as one is a real stop from now on, in the words of who stops."""
        mode = Mode.of(_annotations(standing)[names.KILL_SWITCH])
        try:
            obj = await self._store(person, mode, self._order.reason or drill.REAL_WITHOUT_REASON)
        except Failed as failure:
            again = f'meditron kill {self._target.command} --reason "…"'
            self._tell.warn(f"{failure}; say why it is no drill: {again}")
            return standing
        self._tell.event("a drill stood, and counts as a real stop from now on")
        return obj

    async def _standing(self, person: Person) -> Mapping[str, Any]:
        with suppress(ApiError):
            return await person.one(self._resource, self._target.carrier)
        return {"metadata": {"namespace": self._target.namespace, "name": self._target.name, "annotations": {}}}

    @property
    def _resource(self) -> Resource:
        return DEPLOYMENTS if self._target.scope is Scope.DEPLOYMENT else NAMESPACES

    @property
    def _not_stopped(self) -> str:
        return f"{self._target} is stopped for a drill only" if self.stored else f"{self._target} is NOT stopped"

    def _tell_stored(self, obj: Mapping[str, Any]) -> None:
        annotations = _annotations(obj)
        by = annotations.get(names.KILLED_BY)
        mode = annotations.get(names.KILL_SWITCH, self._order.mode)
        self._tell.event(f"the API server stored it: {mode} of {self._target}" + (f", by {by}" if by else ""))
        for warning in self._order.warnings:
            self._tell.warn(warning)
        if names.KILL_REASON not in annotations:
            again = f'meditron kill {self._target.command} --reason "…"'
            self._tell.warn(f"no reason is stored; say why (repeating the stop is safe): {again}")

    async def _tell_if_old(self, person: Person, obj: Mapping[str, Any]) -> None:
        """What a stop over a stop came to."""
        since, written = engaged_since(obj), last_written(obj, names.KILL_MANAGER)
        with suppress(ApiError):
            now = (await person.myself()).now
            if since is not None and now - since > _SAME_MOMENT:
                new = written is not None and now - written <= _SAME_MOMENT
                head = "the reason or the ticket is new" if new else "nothing changed"
                self._tell.event(f"{head}: it was engaged already, since {since:%Y-%m-%dT%H:%M:%SZ}")

    async def _watch(self, person: Person, looker: Looker) -> Seen:
        seen: tuple[Sight, ...] = ()
        there = 0.0  # when something of it was last seen
        found = Outcome(standing=Standing.UNPROVEN, missing=("the API server did not show it",))
        while True:
            try:
                seen = await looker.look(doors=True)
            except RefusedError as error:
                return Seen(self._target, Outcome(standing=Standing.UNPROVEN, missing=(str(error),)), ())
            except ApiError as error:
                self._warn_once(f"the API server does not show it, looking again: {error}")
            else:
                if looker.blind_to():
                    self._warn_once(looker.blind_to())
                self._tell_events(seen)
                each = tuple((sight, outcome(sight)) for sight in seen)
                found = together(each)
                if found.standing is Standing.NOT_STOPPED:
                    there = self._tell.seconds
                if settled(each, self._tell.seconds, self._tell.seconds - there):
                    break
                await self._end_pods(person, seen)
            if self._tell.seconds >= self._order.seconds:
                break
            early = self._tell.seconds < _LATER
            await asyncio.sleep(_LOOK_SECONDS if early else _LATER_LOOK_SECONDS)
        return Seen(self._target, found, seen)

    def _tell_events(self, seen: tuple[Sight, ...]) -> None:
        named = self._target.scope is not Scope.DEPLOYMENT
        for sight in seen:
            for text in events(self._before.get(sight.key), sight):
                self._tell.event(text, sight, named=named)
            self._before[sight.key] = sight

    async def _end_pods(self, person: Person, seen: tuple[Sight, ...]) -> None:
        """In a halt, what nobody else has taken away by now; each pod once."""
        if self._order.mode is not Mode.HALT or self._tell.seconds < OTHERS_SECONDS:
            return
        late = (
            self._end(person, Ref(kind="Pod", namespace=sight.namespace, name=pod.name), pod.uid)
            for sight in seen
            if sight.mode is Mode.HALT
            for pod in sight.pods or ()
            if pod.uid not in self._ended and (pod.grace is None or pod.grace > HALT_GRACE_SECONDS)
        )
        await asyncio.gather(*late)

    async def _end(self, person: Person, pod: Ref, uid: str) -> None:
        try:
            await person.end(pod, uid)
        except (NotFoundError, ConflictError):
            return
        except RefusedError as error:
            self._warn_once(f"you may not delete pods, so that is left to the operator and the guard: {error}")
        except ApiError:
            return  # tried again at the next look
        else:
            self._tell.event(f"we told pod {pod.name} to end within {HALT_GRACE_SECONDS} s")
        self._ended.add(uid)

    def _warn_once(self, words: str) -> None:
        kind = words.partition(":")[0]
        if kind not in self._told:
            self._told.add(kind)
            self._tell.warn(words)


def _annotations(obj: Mapping[str, Any]) -> Annotations:
    return obj["metadata"].get("annotations") or {}


def _unwaited(target: Target) -> Outcome:
    step = f"see how far it is: meditron status {target.command}"
    return Outcome(standing=Standing.UNPROVEN, missing=("nobody waited for the proof",), steps=(step,))
