"""Looks past every cache: what a proof rests on is read anew."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.guard.carriers import Target
from meditron_operator.core.guard.proof import Answer, Evidence
from meditron_operator.core.guard.seen import (
    NodeState,
    Owned,
    Pod,
    Policy,
    Scaler,
    Seen,
    Workload,
    open_endpoints,
)
from meditron_operator.core.live import Manifest
from meditron_operator.errors import NotFoundError
from meditron_operator.shell.cluster import (
    ENDPOINT_SLICES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    SCALED_OBJECTS,
    SERVICES,
    STATEFULSETS,
    Cluster,
    Resource,
)
from meditron_operator.shell.guard.prober import Address, Prober
from meditron_operator.shell.guard.together import Together

_LONGEST_LABEL: Final = 63  # nothing can wear a longer one, and the server refuses to look for it
WITHOUT_KEDA_SECONDS: Final = 60.0  # until its kind is looked for again


class Looker:
    """Reads, and asks the engines."""

    def __init__(self, cluster: Cluster, prober: Prober, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._prober = prober
        self._clock = clock
        self._no_keda_until = 0.0
        self._pods = Together[str, list[Pod]](self._list_pods)
        self._scalers = Together[str, list[Scaler]](self._list_scalers)
        self._nodes = Together[str, NodeState](self._read_node)

    async def look(self, target: Target, known: Seen) -> Seen:
        """Everything of the deployment as it is now; of StatefulSets by another name, as `known`."""
        namespace = target.ref.namespace
        pods, policies, scalers, workload = await asyncio.gather(
            self._pods.get(namespace),
            self._list_policies(target),
            self._scalers.get(namespace),
            self._read(STATEFULSETS, namespace, target.child),
        )
        others = tuple(each for each in known.workloads if each.ref.name != target.child)
        workloads = (Workload.of(workload), *others) if workload else others
        seen = Seen(pods=tuple(pods), policies=policies, scalers=tuple(scalers), workloads=workloads)
        return seen.of_target(target)

    async def scalers(self, target: Target) -> Seen:
        """Its scalers alone."""
        return Seen(scalers=tuple(await self._scalers.get(target.ref.namespace))).of_target(target)

    async def nodes(self, names_: Iterable[str]) -> dict[str, NodeState]:
        """What the word of these nodes is worth."""
        ordered = sorted({name for name in names_ if name})
        return dict(zip(ordered, await asyncio.gather(*map(self._nodes.get, ordered)), strict=True))

    async def evidence(self, target: Target, pods: Iterable[Pod], seen: Seen, cut: bool) -> Evidence:
        """Whether anything leads to it or answers. `pods` are all that were seen, `seen` is what is there now. A pod
        that is only held answers who may ask it directly."""
        namespace, headless = target.ref.namespace, names.child_name(target.ref.name, names.HEADLESS_SUFFIX)
        service = await self._read(SERVICES, namespace, target.child)
        if service is not None and not Owned(**Owned.fields("Service", service)).belongs_to(target):
            service = None
        services = {target.child} if service else set()
        if cut:  # it lists pods that are not ready too, so it says nothing about those that are held
            services.add(headless)
        selector = f"kubernetes.io/service-name in ({','.join(sorted(services))})"
        slices = (await self._cluster.list(ENDPOINT_SLICES, selector, namespace=namespace))[0] if services else []
        ips = {pod.ip: pod for pod in pods if pod.ip} if cut else {}
        answers = await self._prober.answers({*_addresses(service), *((ip, names.ENGINE_PORT) for ip in ips)})
        return Evidence(
            endpoints=open_endpoints(slices, frozenset(services), frozenset(pod.uid for pod in seen.pods)),
            answers={
                f"{address[0]}:{address[1]}": answer
                for address, answer in answers.items()
                if answer is Answer.NONE or address[0] not in ips or not await self._is_anothers(ips[address[0]])
            },
        )

    async def are_idle(self, pods: Iterable[Pod]) -> bool:
        """Whether no engine has anything left to answer."""
        return all(await asyncio.gather(*(self._prober.is_idle(pod.ip) for pod in pods if pod.ip)))

    async def _is_anothers(self, pod: Pod) -> bool:
        """Whether the address went on to another pod that lives."""
        found, _ = await self._cluster.list(PODS, fields=f"status.podIP={pod.ip}")
        return any(other.uid != pod.uid and not other.finished for other in map(Pod.of, found))

    async def _list_pods(self, namespace: str) -> list[Pod]:
        return [Pod.of(obj) for obj in (await self._cluster.list(PODS, namespace=namespace))[0]]

    async def _list_policies(self, target: Target) -> tuple[Policy, ...]:
        """Its own by their label, and the one of the clients also without it: a namespace may have a thousand."""
        name, namespace = target.ref.name, target.ref.namespace
        allow = f"metadata.name={names.child_name(name, names.ALLOW_SUFFIX)}"
        asked = [self._cluster.list(NETWORK_POLICIES, namespace=namespace, fields=allow)]
        if len(name) <= _LONGEST_LABEL:
            selector = f"{names.DEPLOYMENT_LABEL}={name}"
            asked.append(self._cluster.list(NETWORK_POLICIES, selector, namespace=namespace))
        found = await asyncio.gather(*asked)
        policies = {policy.uid: policy for objects, _ in found for policy in map(Policy.of, objects)}
        return tuple(policies.values())

    async def _list_scalers(self, namespace: str) -> list[Scaler]:
        if self._clock() < self._no_keda_until:
            return []
        try:
            return [Scaler.of(obj) for obj in (await self._cluster.list(SCALED_OBJECTS, namespace=namespace))[0]]
        except NotFoundError:  # most clusters have no KEDA
            self._no_keda_until = self._clock() + WITHOUT_KEDA_SECONDS
            return []

    async def _read_node(self, name: str) -> NodeState:
        return NodeState.of(await self._read(NODES, "", name))

    async def _read(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        try:
            return await self._cluster.read(resource, namespace, name)
        except NotFoundError:
            return None


def _addresses(service: Mapping[str, Any] | None) -> set[Address]:
    spec = service["spec"] if service else {}
    ip = spec.get("clusterIP")
    return {(ip, port["port"]) for port in spec.get("ports", ())} if ip and ip != "None" else set()
