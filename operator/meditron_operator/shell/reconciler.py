"""One reconcile for every trigger: gather, decide, write, report."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

import structlog

from meditron_operator import names
from meditron_operator.config import Config
from meditron_operator.core.again import look_again_seconds
from meditron_operator.core.assess import assess
from meditron_operator.core.compare import Settled, matches, settle
from meditron_operator.core.decide import WORKLOAD, Case, decide, surroundings
from meditron_operator.core.killswitch import (
    Annotations,
    Draining,
    Off,
    Scope,
    Stop,
    SwitchStatus,
    grace_seconds,
    stop_of,
)
from meditron_operator.core.live import Live, Ref
from meditron_operator.core.measured import stored_readings
from meditron_operator.core.observed import Cluster as Observed
from meditron_operator.core.render.meta import Manifest, Owner
from meditron_operator.core.rollout import History, history_of
from meditron_operator.core.status import View, condition_changes, event, merge_patch, serving_condition, summarize
from meditron_operator.core.steps import Create, Decision, Delete, Remove, SetGate, Step
from meditron_operator.core.times import rfc3339
from meditron_operator.errors import ApiError, ConflictError, NotFoundError, RefusedError
from meditron_operator.shell.cluster import PODS, Cluster
from meditron_operator.shell.meter import Meters
from meditron_operator.shell.outcome import Pass
from meditron_operator.shell.revisions import Revisions
from meditron_operator.shell.store import ObjectKey

TRIES: Final = 3  # in one pass; after that the key waits its turn like any other that failed

log = structlog.get_logger(__name__)


class Known(Protocol):
    """What the reconciler needs of the observer."""

    def deployment(self, key: ObjectKey) -> Live | None: ...
    def off(self, deployment: Live) -> Off | None: ...
    def carrier(self, scope: Scope, deployment: Live) -> Annotations: ...
    def drain_since(self, deployment: Live) -> str | None: ...
    def around(self, key: ObjectKey, others: Iterable[Live] = ()) -> Observed: ...
    def doubts(self, ref: Ref) -> bool: ...
    def written(self, kind: str, answer: Manifest) -> None: ...
    def found(self, kind: str, body: Manifest) -> None: ...
    def deleted(self, ref: Ref) -> None: ...


class Reconciler:
    """Brings one deployment after the other to what its spec asks for."""

    def __init__(
        self, cluster: Cluster, known: Known, meters: Meters, config: Config, now: Callable[[], datetime]
    ) -> None:
        self._cluster = cluster
        self._known = known
        self._meter = meters.meter
        self._metrics = meters.metrics
        self._config = config
        self._now = now
        self._settled: dict[ObjectKey, dict[str, Settled]] = {}
        self._posted: dict[ObjectKey, set[str]] = {}  # names of Events, until the status that they tell of is stored
        self._revisions = Revisions(cluster)

    async def reconcile(self, key: ObjectKey) -> float | None:
        """One pass; the seconds after which to look again without being woken, None when it is gone."""
        deployment = self._known.deployment(key)
        if deployment is None:
            self._settled.pop(key, None)
            self._posted.pop(key, None)
            self._meter.forget(key)
            self._metrics.forget(key)
            self._revisions.forget(key)
            return None
        outcome, case, decision = await self._converge(key, deployment)
        if outcome.learned and case.stop is None:
            outcome.raise_for_retry()  # what is seen still changes with each look: nothing to tell of yet
        view = View(
            case=case,
            cluster=self._known.around(key, outcome.others.values()),
            foreign=decision.foreign,
            waiting=decision.waiting,
            fixed=decision.fixed,
            rollout=decision.rollout,
            failures=outcome.refusals,
            measurements=(*stored_readings(deployment.status), *self._meter.found(key)),
        )
        status = await self._report(view, deployment)
        self._metrics.tell(key, status)
        if view.launch is None:
            self._meter.forget(key)
        else:
            await self._meter.want(key, view.pods, view.readings, view.launch)
        outcome.raise_for_retry()
        return look_again_seconds(view, status, self._now(), self._config.resync_seconds)

    def _case(self, deployment: Live, cluster: Observed, history: History) -> Case:
        ref, spec = deployment.ref, deployment.body.get("spec", {})
        owner = Owner(name=ref.name, namespace=ref.namespace, uid=deployment.uid)
        return Case(
            owner=owner,
            generation=deployment.generation,
            stop=self._stop(deployment),
            deleting="deletionTimestamp" in deployment.metadata,
            verdict=assess(ref.name, spec, self._config.engine_image, surroundings(cluster, owner)),
            operator_namespace=self._config.operator_namespace,
            moment=self._now(),
            history=history,
        )

    async def _history(self, key: ObjectKey, deployment: Live, outcome: Pass) -> History:
        """With the template to go back to, where that is asked for; a stop never waits for it."""
        history = history_of(deployment.status)
        if history.failed is None or history.good is None or self._known.off(deployment) is not None:
            return history
        try:
            return replace(history, kept=await self._revisions.template(key, history.good))
        except ApiError as error:
            outcome.errors.append(error)
            return history

    def _stop(self, deployment: Live) -> Stop | None:
        status = deployment.status
        draining = Draining(
            since=self._known.drain_since(deployment),
            grace_seconds=grace_seconds(deployment.body.get("spec")),
            word=status.get("kill"),
            until=status.get("drainsUntil"),
        )
        off = self._known.off(deployment)
        carrier = self._known.carrier(off.scope, deployment) if off is not None else {}
        return stop_of(off, carrier, SwitchStatus.of(status), draining, self._now())

    async def _converge(self, key: ObjectKey, deployment: Live) -> tuple[Pass, Case, Decision]:
        """Decide and write, and again with the truth as long as the cache turns out to be behind."""
        outcome, cluster = Pass(), self._known.around(key)
        workload = Ref(kind=WORKLOAD, namespace=key[0], name=names.child_name(key[1]))
        if self._known.off(deployment) is not None and cluster.child(workload.kind, workload.name) is None:
            await self._look_at(key, workload, outcome)  # a label taken off by hand hides it from the watch
        for _ in range(TRIES):
            outcome.conflict, outcome.learned = None, False
            outcome.errors.clear()
            history = await self._history(key, deployment, outcome)
            # With the case, since a card is chosen by what is there: on a StatefulSet unseen so far it stays.
            cluster = self._known.around(key, outcome.others.values())
            case = self._case(deployment, cluster, history)
            decision = decide(case, cluster, self._settled.get(key, {}))
            await self._carry_out(key, decision, outcome)
            if not outcome.learned:
                break
        if outcome.writes:
            log.info("children written", namespace=key[0], name=key[1], writes=outcome.writes)
        return outcome, case, decision

    async def _carry_out(self, key: ObjectKey, decision: Decision, outcome: Pass) -> None:
        await self._attempt(key, decision.close, outcome)
        for step in decision.stop:
            await self._attempt(key, [step], outcome)
        if await self._attempt(key, decision.foundation, outcome):
            await self._attempt(key, decision.open, outcome)
            if not decision.foreign and await self._attempt(key, decision.workload, outcome):
                await self._attempt(key, decision.remove, outcome)
        await self._attempt(key, decision.prune, outcome)

    async def _attempt(self, key: ObjectKey, steps: Sequence[Step | SetGate | Remove], outcome: Pass) -> bool:
        """Take steps that don't depend on each other; whether all of them succeeded."""
        if not steps:
            return True
        done = await asyncio.gather(*(self._take(key, step, outcome) for step in steps))
        return all(done)

    async def _take(self, key: ObjectKey, step: Step | SetGate | Remove, outcome: Pass) -> bool:
        if isinstance(step, Create) and self._known.doubts(step.ref):
            absent = ConflictError(f"{step.ref} was left out of a list")
            if not await self._is_as_thought(key, step, outcome, absent):
                return False  # all children that a list left out are read then, and none of them written
        try:
            await self._write(key, step)
        except ConflictError as error:
            if isinstance(step, SetGate | Remove):
                return False  # another pod has its name by now: the watch will show it
            await self._is_as_thought(key, step, outcome, error)
            outcome.conflict = error
            return False
        except ApiError as error:
            if isinstance(error, NotFoundError):
                self._known.deleted(step.ref)
            outcome.errors.append(error)
            log.warning("write failed", namespace=key[0], name=key[1], step=str(step.ref), error=str(error))
            return False
        outcome.writes += 1
        return True

    async def _write(self, key: ObjectKey, step: Step | SetGate | Remove) -> None:
        if isinstance(step, SetGate):
            condition = serving_condition(step.open, rfc3339(self._now()))
            self._known.written("Pod", await self._cluster.set_conditions(step.ref, step.pod.uid, [condition]))
            return
        if isinstance(step, Remove):
            with suppress(NotFoundError):
                await self._cluster.remove(PODS, step.ref, step.pod.uid)
            return
        if isinstance(step, Delete):
            live = step.live
            await self._cluster.delete(live.ref, uid=live.uid, resource_version=live.resource_version)
            self._known.deleted(live.ref)
            return
        send = self._cluster.create if isinstance(step, Create) else self._cluster.replace
        answer = await send(step.manifest)
        self._known.written(step.ref.kind, answer)
        wanted = step.manifest if isinstance(step, Create) else step.desired
        self._remember(key, wanted, Live.of(step.ref.kind, answer))

    def _remember(self, key: ObjectKey, wanted: Manifest, returned: Live) -> None:
        """Keep what came back only where it differs from what was sent: normally nowhere."""
        settled = self._settled.setdefault(key, {})
        settled.pop(returned.uid, None)
        if not matches(wanted, returned, None):
            settled[returned.uid] = settle(wanted, returned)

    async def _is_as_thought(self, key: ObjectKey, step: Step, outcome: Pass, conflict: ConflictError) -> bool:
        """Get the truth where a step is in doubt. If it is another one than the step is based on, another try of the
        pass makes sense; if it can't be had, or is what was thought all along, only later."""
        version = await self._look_at(key, step.ref, outcome)
        if version == step.based_on:
            return True
        outcome.conflict = conflict
        outcome.learned |= version is not None
        return False

    async def _look_at(self, key: ObjectKey, ref: Ref, outcome: Pass) -> str | None:
        """Somebody was faster, or something that the watches don't show us here has the name: get the truth.

        Its resourceVersion, empty where nothing has the name; None when that can't be known.
        """
        try:
            body = await self._cluster.get(ref)
        except NotFoundError:
            self._known.deleted(ref)
            return ""
        except ApiError as error:
            outcome.errors.append(error)
            return None
        live = Live.of(ref.kind, body)
        if names.DEPLOYMENT_LABEL in live.labels and live.owner_key == key:
            self._known.found(ref.kind, body)
        else:
            outcome.others[ref] = live
        return live.resource_version

    async def _report(self, view: View, deployment: Live) -> Manifest:
        """Post what changed, then store the status; nothing when it is stored already."""
        ref, previous, now = deployment.ref, deployment.status, rfc3339(self._now())
        status, key = summarize(view, previous, now), (ref.namespace, ref.name)
        ours = {field: value for field, value in previous.items() if field != "killSwitch"}
        if status == ours:
            return status
        try:
            for change in condition_changes(previous, status):
                if not await self._announce(key, event(view.case, change, deployment.resource_version, now)):
                    break
            answer = await self._cluster.patch_status(ref, deployment.uid, merge_patch(ours, status))
        except NotFoundError:
            self._known.deleted(ref)
            return status
        self._posted.pop(key, None)
        self._known.written(names.KIND, answer)
        log.info("status", namespace=ref.namespace, name=ref.name, phase=status["phase"], reason=status["reason"])
        return status

    async def _announce(self, key: ObjectKey, news: Manifest) -> bool:
        """Post an Event once; one that fails must not keep the status from being stored. Whether to go on: what refuses
        one Event (a quota, a missing right) refuses them all."""
        name, posted = news["metadata"]["name"], self._posted.setdefault(key, set())
        if name in posted:
            return True
        try:
            await self._cluster.create_event(news)
            posted.add(name)
        except ApiError as error:
            log.warning("event lost", name=name, error=str(error))
            return not isinstance(error, RefusedError)
        return True
