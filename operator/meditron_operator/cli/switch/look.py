"""Looks at every deployment that a command is about, as far as the person may."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from meditron_operator import names
from meditron_operator.cli.switch.asked import Target
from meditron_operator.core.killswitch.effective import Scope
from meditron_operator.core.killswitch.sight import Key, Object, Objects, Sight, sights
from meditron_operator.core.live import Ref
from meditron_operator.errors import ApiError, NotFoundError, RefusedError
from meditron_operator.shell.cluster import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    STATEFULSETS,
    Resource,
)
from meditron_operator.shell.person import DoubtfulError, Person

_LONGEST_LABEL: Final = 63
MOST_TRIED: Final = 10
"""Deployments at whose door a pod is tried; of more, what their pods do must tell."""


class Looker:
    """Remembers what the person may not look at, and asks for it no more."""

    def __init__(self, person: Person, target: Target, operator_namespace: str) -> None:
        self._person = person
        self._target = target
        self._operator_namespace = operator_namespace
        self._namespace = "" if target.scope is Scope.CLUSTER else target.namespace
        self._shut: dict[Key, bool] = {}
        self._blind_at_door = False
        self.stored: Object | None = None
        """The deployment as a write answered, for who may write and not read."""
        self.unseen: dict[str, str] = {}
        """What the person may not look at, with the server's words."""

    async def look(self, *, doors: bool = False) -> tuple[Sight, ...]:
        """As it is now; `doors`: try a pod at each too, which the server is asked not to make."""
        deployments, pods, policies, workloads, slices = await asyncio.gather(
            self._deployments(),
            self._children(PODS),
            self._children(NETWORK_POLICIES),
            self._children(STATEFULSETS),
            self._children(ENDPOINT_SLICES),
        )
        namespaces = await self._namespaces({each["metadata"]["namespace"] for each in deployments})
        if doors:
            await self._try_doors(deployments)
        return sights(
            Objects(
                deployments=deployments,
                operator_namespace=self._operator_namespace,
                namespaces=namespaces,
                pods=pods,
                policies=policies,
                workloads=workloads,
                slices=slices,
                shut=self._shut,
            )
        )

    async def _deployments(self) -> tuple[Object, ...]:
        if self._target.scope is not Scope.DEPLOYMENT:
            return await self._person.many(DEPLOYMENTS, self._namespace)
        try:
            return (await self._person.one(DEPLOYMENTS, self._target.carrier),)
        except (RefusedError, NotFoundError) as error:
            if self.stored is None:
                raise
            self.unseen.setdefault(DEPLOYMENTS.plural, str(error))
            return (self.stored,)

    async def _namespaces(self, wanted: set[str]) -> tuple[Object, ...]:
        """What carries the wider switches: one by one where the person may not list them."""
        if self._target.scope is Scope.CLUSTER:
            every = await self._seen(NAMESPACES, "")
            if every is not None:
                return every
        found = await asyncio.gather(*map(self._namespace_of, sorted(wanted | {self._operator_namespace})))
        return tuple(each for each in found if each is not None)

    async def _namespace_of(self, name: str) -> Object | None:
        what = f"namespace {name}"
        if what in self.unseen:
            return None
        try:
            return await self._person.one(NAMESPACES, Ref(kind="Namespace", namespace="", name=name))
        except NotFoundError:
            return {"metadata": {"name": name}}
        except RefusedError as error:
            self.unseen[what] = str(error)
        except DoubtfulError:
            pass  # asked again at the next look
        return None

    async def _children(self, resource: Resource) -> tuple[Object, ...] | None:
        label = names.DEPLOYMENT_LABEL
        one = self._target.scope is Scope.DEPLOYMENT and len(self._target.name) <= _LONGEST_LABEL
        return await self._seen(resource, f"{label}={self._target.name}" if one else label)

    async def _seen(self, resource: Resource, selector: str) -> tuple[Object, ...] | None:
        if resource.plural in self.unseen:
            return None
        try:
            return await self._person.many(resource, self._namespace, selector)
        except RefusedError as error:
            self.unseen[resource.plural] = str(error)
        except DoubtfulError:
            if resource is PODS:  # without them nothing can be told
                raise
        return None

    def blind_to(self) -> str:
        """What the person may not look at, in a line; empty when that is nothing."""
        told = {each for each in self.unseen if each != NAMESPACES.plural}  # then they were asked one by one
        return f"you may not look at {', '.join(sorted(told))}: nothing is said of that" if told else ""

    async def _try_doors(self, deployments: tuple[Object, ...]) -> None:
        if len(deployments) <= MOST_TRIED:
            await asyncio.gather(*(self._try_door(each["metadata"]) for each in deployments))

    async def _try_door(self, meta: Mapping[str, Any]) -> None:
        key = meta["namespace"], meta["name"]
        if self._blind_at_door or self._shut.get(key):
            return
        try:
            await self._person.would_create(PODS, _visitor(*key))
            self._shut[key] = False
        except RefusedError as error:
            if "the kill switch keeps" in str(error):
                self._shut[key] = True
            else:  # no right to make pods, or another rule is in the way: nothing can be told
                self._blind_at_door = True
        except ApiError:
            return  # tried again at the next look


async def known(person: Person, target: Target) -> tuple[Key, ...] | None:
    """The deployments that the person may see, for a hint; None where the cluster knows no such kind."""
    for namespace in ("", target.namespace):
        try:
            found = await person.many(DEPLOYMENTS, namespace)
        except NotFoundError:
            return None
        except ApiError:
            continue
        return tuple((each["metadata"]["namespace"], each["metadata"]["name"]) for each in found)
    return ()


def _visitor(namespace: str, name: str) -> dict[str, Any]:
    """A pod that no Pod Security level refuses."""
    bounds = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{name[:40]}-",
            "namespace": namespace,
            "labels": {names.DEPLOYMENT_LABEL: name},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "none", "image": "none.invalid/none", "securityContext": bounds}],
        },
    }
