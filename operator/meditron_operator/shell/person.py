"""What a person at the command line asks of the API server, with no right but the own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.live import Manifest, Ref
from meditron_operator.errors import (
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UntrustedError,
)
from meditron_operator.shell.access import Access
from meditron_operator.shell.cluster import PODS, Cluster, Resource
from meditron_operator.shell.session import connect

_REVIEWS: Final = Resource("SelfSubjectReview", "authentication.k8s.io/v1", "selfsubjectreviews")
_ACCESS_REVIEWS: Final = Resource("SelfSubjectAccessReview", "authorization.k8s.io/v1", "selfsubjectaccessreviews")

HALT_GRACE_SECONDS: Final = 1  # never 0: the object would go, and the container may live on
_REQUEST_SECONDS: Final = 15.0
_DOUBTFUL_SECONDS: Final = 15.0
_BY_POLICY: Final = "denied request"
_KILL: Final = {"fieldManager": names.KILL_MANAGER}
_RELEASE: Final = {"fieldManager": names.RELEASE_MANAGER}
_MERGE_PATCH: Final = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Myself:
    """Who asks, and the API server's clock."""

    name: str
    now: datetime


class DoubtfulError(UnavailableError):
    """A refusal of an API server that has just come up, and knows neither roles nor kinds yet."""


class Person(Cluster):
    """Verbs of the kill switch for people; the errors of Cluster, and DoubtfulError."""

    _doubtful_until = 0.0

    async def _request(self, method: str, path: str, **how: Any) -> Manifest:
        try:
            return await super()._request(method, path, **how)
        except (RefusedError, NotFoundError, UnauthorizedError) as error:
            if monotonic() < self._doubtful_until and _BY_POLICY not in str(error):
                raise DoubtfulError(f"the API server has just come back, and says: {error}") from error
            raise
        except UntrustedError:
            raise
        except UnavailableError:
            self._doubtful_until = monotonic() + _DOUBTFUL_SECONDS
            raise

    async def stop(self, resource: Resource, ref: Ref, changes: Mapping[str, str | None]) -> Manifest:
        """Merge patch of the annotations, of whatever is there."""
        return await self._annotate(resource.path(ref.namespace, ref.name), {"annotations": dict(changes)}, _KILL)

    async def step(
        self, resource: Resource, ref: Ref, changes: Mapping[str, str | None], resource_version: str
    ) -> Manifest:
        """The same of exactly what was looked at; ConflictError if it changed since."""
        meta = {"annotations": dict(changes), "resourceVersion": resource_version}
        return await self._annotate(resource.path(ref.namespace, ref.name), meta, _RELEASE)

    async def _annotate(self, path: str, metadata: Mapping[str, Any], manager: Mapping[str, str]) -> Manifest:
        body = {"metadata": metadata}
        return _object(await self._request("PATCH", path, body=body, params=manager, content=_MERGE_PATCH))

    async def one(self, resource: Resource, ref: Ref) -> Manifest:
        """One object as it is now."""
        return _object(await self.read(resource, ref.namespace, ref.name))

    async def many(self, resource: Resource, namespace: str, selector: str = "") -> tuple[Manifest, ...]:
        """All objects of a kind in a namespace; "" stands for all namespaces."""
        found, _ = await self.list(resource, selector, namespace=namespace)
        return tuple(map(_object, found))

    async def end(self, pod: Ref, uid: str) -> None:
        """Have exactly this pod end at once; also one that was given longer."""
        await self.remove(PODS, pod, uid, HALT_GRACE_SECONDS)

    async def would_create(self, resource: Resource, manifest: Manifest) -> None:
        """Ask whether the API server would let this object in; none is made."""
        path = resource.path(manifest["metadata"]["namespace"])
        await self._request("POST", path, body=manifest, params={"dryRun": "All", **_KILL})

    async def may(self, verb: str, deployment: Ref) -> bool:
        """As `kubectl auth can-i`, of a deployment."""
        asked = {"group": names.GROUP, "resource": names.PLURAL, "verb": verb}
        where = {"namespace": deployment.namespace, "name": deployment.name}
        body = {
            "apiVersion": _ACCESS_REVIEWS.api_version,
            "kind": _ACCESS_REVIEWS.kind,
            "metadata": {},
            "spec": {"resourceAttributes": asked | where},
        }
        answer = await self._request("POST", _ACCESS_REVIEWS.path(), body=body)
        status = answer.get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    async def myself(self) -> Myself:
        """As `kubectl auth whoami`."""
        body = {"apiVersion": _REVIEWS.api_version, "kind": _REVIEWS.kind, "metadata": {}}
        answer = await self._request("POST", _REVIEWS.path(), body=body)
        try:
            when = datetime.fromisoformat(answer["metadata"]["creationTimestamp"])
            return Myself(str(answer["status"]["userInfo"]["username"]), when)
        except (LookupError, TypeError, ValueError) as error:
            raise UnavailableError("the API server doesn't say who you are") from error


def _object(answer: Manifest) -> Manifest:
    """Whoever stands between us and the API server may answer anything."""
    meta = answer.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        raise UnavailableError("the answer is no object of an API server")
    return answer


@asynccontextmanager
async def reaching(access: Access, patience: float = _REQUEST_SECONDS) -> AsyncIterator[Person]:
    """A session of one's own; no request takes longer than `patience`."""
    connection = connect(access.configuration)
    connection.http.headers.extend(access.headers)
    try:
        yield Person(connection, min(patience, _REQUEST_SECONDS))
    finally:
        await connection.http.close()
