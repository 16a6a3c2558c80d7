"""What a person at the command line asks of the API server, with no right but the own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from meditron_operator import names
from meditron_operator.core.live import Ref
from meditron_operator.errors import UnavailableError
from meditron_operator.shell.cluster import CHILDREN, PODS, Cluster, Resource
from meditron_operator.shell.session import Access, connect

if TYPE_CHECKING:
    from meditron_operator.core.render.meta import Manifest  # costs 0.2 s, which a stop by hand need not wait for

STATEFUL_SETS: Final = CHILDREN["StatefulSet"]
ENDPOINT_SLICES: Final = Resource("EndpointSlice", "discovery.k8s.io/v1", "endpointslices")
_REVIEWS: Final = Resource("SelfSubjectReview", "authentication.k8s.io/v1", "selfsubjectreviews")

HALT_GRACE_SECONDS: Final = 1  # never 0: the object would go, and the container may live on
_REQUEST_SECONDS: Final = 15.0
_MERGE_PATCH: Final = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Myself:
    """Who asks, and the API server's clock."""

    name: str
    now: datetime


class Person(Cluster):
    """Verbs of the kill switch for people; the errors of Cluster."""

    async def annotate(
        self, resource: Resource, ref: Ref, changes: Mapping[str, str | None], version: str | None = None
    ) -> Manifest:
        """Merge patch of the annotations; ConflictError if it isn't at `version` any more."""
        meta = {"annotations": dict(changes)} | ({} if version is None else {"resourceVersion": version})
        path, params = resource.path(ref.namespace, ref.name), {"fieldManager": names.CLI_NAME}
        return await self._request("PATCH", path, body={"metadata": meta}, params=params, content=_MERGE_PATCH)

    async def read(self, resource: Resource, ref: Ref) -> Manifest:
        """One object as it is now."""
        return await self._request("GET", resource.path(ref.namespace, ref.name))

    async def find(self, resource: Resource, namespace: str, selector: str = "") -> tuple[Manifest, ...]:
        """All objects of a kind in a namespace; "" stands for all namespaces."""
        params = {"labelSelector": selector} if selector else None
        answer = await self._request("GET", resource.path(namespace), params=params)
        return tuple(answer.get("items") or ())

    async def end(self, pod: Ref, uid: str) -> None:
        """Have exactly this pod end at once; also one that was given longer."""
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        body["gracePeriodSeconds"] = HALT_GRACE_SECONDS
        await self._request("DELETE", PODS.path(pod.namespace, pod.name), body=body)

    async def try_pod(self, pod: Manifest) -> None:
        """Ask whether the API server would let this pod in; none is made."""
        path = PODS.path(pod["metadata"]["namespace"])
        await self._request("POST", path, body=pod, params={"dryRun": "All", "fieldManager": names.CLI_NAME})

    async def myself(self) -> Myself:
        """As `kubectl auth whoami`."""
        body = {"apiVersion": _REVIEWS.api_version, "kind": _REVIEWS.kind, "metadata": {}}
        answer = await self._request("POST", _REVIEWS.path(), body=body)
        try:
            when = datetime.fromisoformat(answer["metadata"]["creationTimestamp"])
            return Myself(str(answer["status"]["userInfo"]["username"]), when)
        except (LookupError, TypeError, ValueError) as error:
            raise UnavailableError("the API server doesn't say who you are") from error


@asynccontextmanager
async def reaching(access: Access) -> AsyncIterator[Person]:
    """A session of one's own."""
    connection = connect(access.configuration, headers=access.headers)
    try:
        yield Person(connection, _REQUEST_SECONDS)
    finally:
        await connection.http.close()
