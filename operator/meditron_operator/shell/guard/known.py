"""What the guard knows of the cluster without asking: deployments, namespaces, and what a stop takes away."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from meditron_operator import names
from meditron_operator.core.guard.carriers import Switch, Target
from meditron_operator.core.guard.seen import Pod, Policy, Seen, Workload
from meditron_operator.core.killswitch import Annotations, Engaged, Off, Scope, effective
from meditron_operator.core.killswitch.carrier import Carrier
from meditron_operator.errors import ApiError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import (
    DEPLOYMENTS,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    STATEFULSETS,
    Cluster,
    Resource,
)
from meditron_operator.shell.extent import ALL, Extent
from meditron_operator.shell.store import Feed, ObjectKey, Store, replace_all
from meditron_operator.shell.watch import USUAL_PACE, Pace, Watch

# Of what carries the switch. A dead watch is noticed within ten seconds, and a poll beside it needs no watch at all.
SWITCH_PACE: Final = Pace(silence_seconds=10.0, server_seconds=8)
POLL_SECONDS: Final = 10.0
WARM_CONNECTIONS: Final = 8  # what the first moment of a stop of a few replicas takes

log = structlog.get_logger(__name__)

Wake = Callable[[ObjectKey], None]


CarrierKey = tuple[Scope, str, str]


def key_of(carrier: Carrier) -> CarrierKey:
    """Scope, namespace and name."""
    return carrier.scope, carrier.namespace, carrier.name


class Known:
    """Stores and watches. `wake` hears of a deployment that something happened to, `carried` of annotations."""

    def __init__(self, cluster: Cluster, operator_namespace: str, chance: Chance) -> None:
        self._cluster = cluster
        self._operator_namespace = operator_namespace
        self._chance = chance
        self.wake: Wake = lambda _: None
        self.carried: Callable[[Carrier], None] = lambda _: None
        self.fail_closed_after: float = 0.0
        self.targets = Store[Target](Target.of, lambda target: target.ref.namespace, self._target_changed)
        self._switches = Store[Switch](Switch.of, lambda _: None, self._switch_changed)
        self._pods = Store[Pod](Pod.of, lambda pod: (pod.ref.namespace, pod.deployment), self._child_changed)
        self._workloads = Store[Workload](Workload.of, _owner, self._child_changed)
        self._policies = Store[Policy](Policy.of, _owner, self._child_changed)
        self._heard: dict[str, float] = {}  # by the poll

        def watch(resource: Resource, store: Feed, pace: Pace = USUAL_PACE) -> Watch:
            extent = ALL if pace is SWITCH_PACE else Extent(selector=names.DEPLOYMENT_LABEL)
            return Watch(cluster, resource, store, extent, chance, pace=pace)

        self._feeds: Final[Mapping[str, tuple[Resource, Feed]]] = {
            DEPLOYMENTS.plural: (DEPLOYMENTS, self.targets),
            NAMESPACES.plural: (NAMESPACES, self._switches),
        }
        self._switch_watches: Final = [watch(*feed, SWITCH_PACE) for feed in self._feeds.values()]
        self.watches: Final = [
            *self._switch_watches,
            watch(PODS, self._pods),
            watch(STATEFULSETS, self._workloads),
            watch(NETWORK_POLICIES, self._policies),
        ]

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watch in self.watches:
                group.create_task(watch.run())
            group.create_task(self._poll())

    @property
    def synced(self) -> bool:
        """Whether the switch was read once: before that, no annotation means nothing."""
        return all(watch.synced.is_set() for watch in self._switch_watches)

    def ages(self) -> dict[str, float | None]:
        """Seconds since the last word of each kind, None for never."""
        now = self._chance.clock()
        heard = {watch.resource.plural: watch.last_heard for watch in self.watches}
        for plural, moment in self._heard.items():
            heard[plural] = max(moment, heard[plural] or 0.0)
        return {plural: None if moment is None else now - moment for plural, moment in heard.items()}

    def switch_ages(self) -> dict[str, float | None]:
        """The same of what carries the switch."""
        return {plural: age for plural, age in self.ages().items() if plural in self._feeds}

    @property
    def is_blind(self) -> bool:
        """Whether the switch could not be read for so long that everything counts as engaged."""
        limit, ages = self.fail_closed_after, self.switch_ages().values()
        return bool(limit) and self.synced and any(age is not None and age > limit for age in ages)

    def off(self, target: Target) -> Off | None:
        """Why it must not run, None when it may."""
        if self.is_blind:
            reason = f"the guard could not read the kill switch for {self.fail_closed_after:.0f} s"
            return Engaged(scope=Scope.CLUSTER, mode="halt", reason=reason)
        carriers = {scope: self.carrier(scope, target) for scope in Scope}
        return effective({scope: carrier.annotations for scope, carrier in carriers.items() if carrier})

    def carrier(self, scope: Scope, target: Target) -> Carrier | None:
        """What carries that scope's annotations for a deployment; None where it is not known."""
        if scope is Scope.DEPLOYMENT:
            return _carrier(scope, target.ref.namespace, target.ref.name, target)
        namespace = self._operator_namespace if scope is Scope.CLUSTER else target.ref.namespace
        switch = self._switches.get(("", namespace))
        return _carrier(scope, namespace, namespace, switch) if switch else None

    def covered_by(self, carrier: Carrier) -> tuple[Target, ...]:
        """The deployments that it can stop."""
        if carrier.scope is Scope.CLUSTER:
            return self.targets.all()
        if carrier.scope is Scope.NAMESPACE:
            return self.targets.group(carrier.namespace)
        target = self.targets.get((carrier.namespace, carrier.name))
        return (target,) if target else ()

    def current(self, key: CarrierKey) -> Carrier | None:
        """A carrier as last seen."""
        scope, namespace, name = key
        if scope is Scope.DEPLOYMENT:
            target = self.targets.get((namespace, name))
            return self.carrier(scope, target) if target else None
        switch = self._switches.get(("", name))
        return _carrier(scope, name, name, switch) if switch else None

    def seen(self, target: Target) -> Seen:
        """What is known to belong to it."""
        return Seen(
            pods=self._pods.group(target.key),
            workloads=self._workloads.group(target.key),
            policies=self._policies.group(target.key),
        ).of_target(target)

    def told(self, answer: Mapping[str, Any]) -> None:
        """Take in a deployment as the server returned it, ahead of the watch."""
        self.targets.put(answer)

    def _target_changed(self, target: Target) -> None:
        self.wake(target.key)
        if carrier := self.carrier(Scope.DEPLOYMENT, target):
            self.carried(carrier)

    def _switch_changed(self, switch: Switch) -> None:
        """First everybody who is stopped, then the record of it."""
        whole = switch.name == self._operator_namespace
        for target in self.targets.all() if whole else self.targets.group(switch.name):
            self.wake(target.key)
        scope = Scope.CLUSTER if whole else Scope.NAMESPACE
        self.carried(_carrier(scope, switch.name, switch.name, switch))

    def _child_changed(self, child: Pod | Workload | Policy) -> None:
        self.wake(_owner(child) if isinstance(child, Workload | Policy) else (child.ref.namespace, child.deployment))

    async def _poll(self) -> None:
        """Read the switch without a watch too, and keep connections warm."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.gather(
                *(self._list(resource, store) for resource, store in self._feeds.values()),
                self._cluster.warm(WARM_CONNECTIONS),
            )

    async def _list(self, resource: Resource, store: Feed) -> None:
        try:
            objects, version = await self._cluster.list(resource, cached=True)
        except ApiError as error:
            log.warning("poll failed", plural=resource.plural, error=str(error))
            return
        self._heard[resource.plural] = self._chance.clock()
        replace_all(store, objects, version)


def _carrier(scope: Scope, namespace: str, name: str, of: Target | Switch) -> Carrier:
    annotations: Annotations = of.annotations
    return Carrier(
        scope=scope, namespace=namespace, name=name, uid=of.uid, annotations=annotations, admitted_at=of.admitted_at
    )


def _owner(child: Workload | Policy) -> ObjectKey:
    controller = child.controller
    name = controller.name if controller and controller.kind == names.KIND else child.deployment
    return child.ref.namespace, name
