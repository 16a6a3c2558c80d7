"""The only module that talks to the API server."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import aiohttp
import orjson

from meditron_operator import names
from meditron_operator.core.live import Manifest, Ref
from meditron_operator.errors import ConflictError, FencedError, UnavailableError, UntrustedError
from meditron_operator.shell import streams
from meditron_operator.shell.answers import raise_for_status
from meditron_operator.shell.extent import ALL, Extent
from meditron_operator.shell.session import Connection


@dataclass(frozen=True, slots=True)
class Resource:
    """Where the objects of one kind are on the API server."""

    kind: str
    api_version: str
    plural: str

    def path(self, namespace: str = "", name: str = "") -> str:
        """URL path of an object, or of the collection when `name` is empty."""
        root = "/api/" if "/" not in self.api_version else "/apis/"
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{self.api_version}{scope}/{self.plural}" + (f"/{name}" if name else "")


DEPLOYMENTS: Final = Resource(names.KIND, names.API_VERSION, names.PLURAL)
PODS: Final = Resource("Pod", "v1", "pods")
NODES: Final = Resource("Node", "v1", "nodes")
NAMESPACES: Final = Resource("Namespace", "v1", "namespaces")
RECORDS: Final = Resource(names.RECORD_KIND, names.API_VERSION, names.RECORD_PLURAL)
EVENTS: Final = Resource("Event", "v1", "events")
NETWORK_POLICIES: Final = Resource("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
ENDPOINT_SLICES: Final = Resource("EndpointSlice", "discovery.k8s.io/v1", "endpointslices")
SCALED_OBJECTS: Final = Resource("ScaledObject", "keda.sh/v1alpha1", "scaledobjects")
LEASES: Final = Resource("Lease", "coordination.k8s.io/v1", "leases")
REVISIONS: Final = Resource("ControllerRevision", "apps/v1", "controllerrevisions")
STATEFULSETS: Final = Resource("StatefulSet", "apps/v1", "statefulsets")
SERVICES: Final = Resource("Service", "v1", "services")

CHILDREN: Final[Mapping[str, Resource]] = MappingProxyType(
    {
        resource.kind: resource
        for resource in (
            STATEFULSETS,
            SERVICES,
            Resource("ServiceAccount", "v1", "serviceaccounts"),
            NETWORK_POLICIES,
            Resource("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        )
    }
)
_WHOLE: Final = {**CHILDREN, LEASES.kind: LEASES}  # what is written as a whole

_MERGE_PATCH: Final = "application/merge-patch+json"
_STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"  # merges lists of conditions by their type
LOG_HEAD_BYTES: Final = 2**20  # a start takes some 10 KB
LOG_SECONDS: Final = 10.0
PAGE_OBJECTS: Final = 500  # of a list that may be the whole cluster's: kubectl's own size


class Cluster:
    """Typed verbs over one session. Every method raises the errors of `meditron_operator.errors` only."""

    def __init__(
        self,
        connection: Connection,
        request_timeout_seconds: float,
        manager: str = names.FIELD_MANAGER,
        fence: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """`fence` tells how many seconds writing is allowed for: no write begins, or waits for its answer, after."""
        self._http = connection.http
        self._fence = fence
        self._server = connection.server
        self._seconds = request_timeout_seconds
        self._managed = {"fieldManager": manager}

    async def get(self, ref: Ref) -> Manifest:
        """One child as it is now, past every cache."""
        return await self._request("GET", CHILDREN[ref.kind].path(ref.namespace, ref.name))

    async def create(self, manifest: Manifest) -> Manifest:
        """POST; ConflictError when an object of that name is there."""
        meta = manifest["metadata"]
        path = _WHOLE[manifest["kind"]].path(meta["namespace"])
        return await self._request("POST", path, body=manifest, params=self._managed)

    async def replace(self, manifest: Manifest) -> Manifest:
        """PUT of a whole object with its resourceVersion; ConflictError when it changed meanwhile."""
        meta = manifest["metadata"]
        path = _WHOLE[manifest["kind"]].path(meta["namespace"], meta["name"])
        return await self._request("PUT", path, body=manifest, params=self._managed)

    async def delete(self, ref: Ref, *, uid: str, resource_version: str) -> None:
        """DELETE of exactly the object that was looked at; ConflictError when it is another one by now."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
        }
        await self._request("DELETE", CHILDREN[ref.kind].path(ref.namespace, ref.name), body=body)

    async def read(self, resource: Resource, namespace: str, name: str) -> Manifest:
        """One object of any kind as it is now, past every cache."""
        return await self._request("GET", resource.path(namespace, name))

    async def remove(self, resource: Resource, ref: Ref, uid: str, grace_seconds: int | None = None) -> None:
        """DELETE of the object with this uid, whatever changed in it since; ConflictError when it is another one."""
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        await self._request("DELETE", resource.path(ref.namespace, ref.name), body=body)

    async def scale(self, workload: Ref, uid: str, replicas: int) -> None:
        """Set the replicas, and nothing else: the scale subresource is the narrowest right that does it."""
        path = STATEFULSETS.path(workload.namespace, workload.name) + "/scale"
        body = {"metadata": {"uid": uid}, "spec": {"replicas": replicas}}
        await self._request("PATCH", path, body=body, params=self._managed, content=_MERGE_PATCH)

    async def annotate(
        self, resource: Resource, ref: Ref, preconditions: Mapping[str, str], annotations: Mapping[str, str | None]
    ) -> Manifest:
        """Merge patch of annotations: None takes one away. ConflictError when uid or resourceVersion is another."""
        body = {"metadata": {**preconditions, "annotations": annotations}}
        path = resource.path(ref.namespace, ref.name)
        return await self._request("PATCH", path, body=body, params=self._managed, content=_MERGE_PATCH)

    async def warm(self, connections: int) -> None:
        """Keep connections open for the next hurry: one that has to be made first costs several milliseconds."""
        await asyncio.gather(*(self._request("GET", "/version") for _ in range(connections)), return_exceptions=True)

    async def patch_status(
        self, ref: Ref, uid: str, status: Mapping[str, Any], resource_version: str | None = None
    ) -> Manifest:
        """Merge patch of the status: None takes a field away. The uid keeps it off a namesake made meanwhile.

        With a version, ConflictError when anything was written since.

        Not a server-side apply: the server answers one with 500 when the stored spec has a field of a wrong type
        (from before a rule existed), and such an object needs its status most.
        """
        path = DEPLOYMENTS.path(ref.namespace, ref.name) + "/status"
        metadata = {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {})
        body = {"metadata": metadata, "status": status}
        return await self._request("PATCH", path, body=body, params=self._managed, content=_MERGE_PATCH)

    async def set_conditions(self, pod: Ref, uid: str, conditions: Sequence[Mapping[str, Any]]) -> Manifest:
        """Set these conditions of exactly this pod, and leave all others to the kubelet."""
        path = PODS.path(pod.namespace, pod.name) + "/status"
        body = {"metadata": {"uid": uid}, "status": {"conditions": conditions}}
        return await self._request("PATCH", path, body=body, params=self._managed, content=_STRATEGIC_PATCH)

    async def create_record(self, record: Manifest) -> Manifest:
        """POST a KillRecord; ConflictError when that number is taken."""
        return await self._request(
            "POST", RECORDS.path(record["metadata"]["namespace"]), body=record, params=self._managed
        )

    async def patch_record(self, record: Ref, resource_version: str, status: Mapping[str, Any]) -> Manifest:
        """Merge patch of its status; ConflictError when it changed since it was read."""
        path = RECORDS.path(record.namespace, record.name) + "/status"
        body = {"metadata": {"resourceVersion": resource_version}, "status": status}
        return await self._request("PATCH", path, body=body, params=self._managed, content=_MERGE_PATCH)

    async def create_event(self, event: Manifest) -> None:
        """POST an Event. Its name is deterministic, so one that was already posted is not an error."""
        try:
            await self._request("POST", EVENTS.path(event["metadata"]["namespace"]), body=event)
        except ConflictError:
            return

    async def log_lines(self, pod: Ref, container: str) -> AsyncGenerator[str, None]:
        """The log of a running container from its first line on: complete lines only, and no more than its head.

        The caller closes the iterator once it has seen enough; the rest is then not even sent.
        """
        path, left = PODS.path(pod.namespace, pod.name) + "/log", LOG_HEAD_BYTES
        params = {"container": container, "limitBytes": str(LOG_HEAD_BYTES)}
        timeout = aiohttp.ClientTimeout(total=LOG_SECONDS)
        try:
            async with self._http.get(self._server + path, params=params, timeout=timeout) as response:
                await raise_for_status(response)
                async for line in streams.lines(response.content):
                    left -= len(line)
                    if left < 0:
                        return
                    yield line.decode(errors="replace")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UnavailableError(f"GET {path}: {_words(error)}") from error

    async def pages(
        self, resource: Resource, extent: Extent = ALL, size: int = PAGE_OBJECTS
    ) -> AsyncGenerator[tuple[list[Manifest], str], None]:
        """All objects of an extent as of one moment, `size` at a time, each time with that moment's resourceVersion.

        However many there are, no more than a page of them is in memory at once. NotFoundError when the server forgot
        that moment before the last page: begin again.
        """
        params = {**extent.params, "limit": str(size)}
        while True:
            answer = await self._request("GET", resource.path(extent.namespace), params=params)
            try:
                items, meta = answer.get("items") or [], answer["metadata"]
                for item in items:
                    streams.require_object(item)
                version, more = str(int(meta["resourceVersion"])), meta.get("continue")
            except (LookupError, TypeError, ValueError) as error:
                raise UnavailableError(f"the answer is no list of {resource.plural}") from error
            yield items, version
            if not more:
                return
            params["continue"] = str(more)

    async def list(
        self, resource: Resource, selector: str = "", *, namespace: str = "", fields: str = "", cached: bool = False
    ) -> tuple[list[Manifest], str]:
        """All objects of a kind, and the resourceVersion to watch from. `cached`: as the API server remembers them,
        which costs it next to nothing and may be some moments old."""
        params = _selected(selector) | ({"fieldSelector": fields} if fields else {})
        if cached:
            params["resourceVersion"] = "0"
        answer = await self._request("GET", resource.path(namespace), params=params)
        try:
            return answer.get("items") or [], answer["metadata"]["resourceVersion"]
        except (LookupError, TypeError) as error:
            raise UnavailableError(f"the answer is no list of {resource.plural}") from error

    async def watch(
        self, resource: Resource, extent: Extent, since: str, silence_seconds: float, server_seconds: int | None = None
    ) -> AsyncIterator[tuple[str, Manifest]]:
        """Events after `since` until the server ends the stream, on request after `server_seconds`;
        UnavailableError after `silence_seconds` without even a bookmark."""
        params = {**extent.params, "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since}
        if server_seconds is not None:
            params["timeoutSeconds"] = str(server_seconds)
        timeout = aiohttp.ClientTimeout(sock_connect=10, sock_read=silence_seconds)
        url = self._server + resource.path(extent.namespace)
        try:
            async with self._http.get(url, params=params, timeout=timeout) as response:
                await raise_for_status(response)
                async for line in streams.lines(response.content):
                    yield streams.event(line)
        except (aiohttp.ClientError, OSError, ValueError, LookupError, TypeError) as error:  # or no event at all
            raise UnavailableError(f"watch of {resource.plural} broke: {_words(error)}") from error

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Manifest:
        data = None if body is None else orjson.dumps(body)
        headers = {} if data is None else {"Content-Type": content}
        timeout = self._patience(method, path)
        try:
            async with self._http.request(
                method, self._server + path, data=data, params=params, headers=headers, timeout=timeout
            ) as response:
                await raise_for_status(response)
                answer = orjson.loads(await response.read())
        except aiohttp.ClientSSLError as error:
            raise UntrustedError(f"{method} {path}: {_words(error)}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UnavailableError(f"{method} {path}: {_words(error)}") from error
        if not isinstance(answer, dict):
            raise UnavailableError(f"{method} {path}: the answer is no object")
        return answer

    def _patience(self, method: str, path: str) -> aiohttp.ClientTimeout:
        left = math.inf if method == "GET" else self._fence()
        if left <= 0:
            raise FencedError(f"{method} {path}: not sent, since this process doesn't hold the lease")
        return aiohttp.ClientTimeout(total=min(self._seconds, left))


def _selected(selector: str) -> dict[str, str]:
    return {"labelSelector": selector} if selector else {}


def _words(error: BaseException) -> str:
    """A time-out says nothing by itself."""
    return str(error) or type(error).__name__
