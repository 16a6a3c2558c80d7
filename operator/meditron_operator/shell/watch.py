"""One kind of object, listed and then watched into a store.

Kopf's own watch tells nobody what vanished between two lists (after a 410 Gone), nor when the first list is
complete, nor how old its last word is; and it ends the process for a line that is no event. A child that was deleted
in such a gap would never be repaired, and a restart would write before it had read: hence this one, for every kind.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from meditron_operator.errors import ApiError, NotFoundError, RefusedError, UnavailableError
from meditron_operator.shell.backoff import Backoff, Chance
from meditron_operator.shell.cluster import Cluster, Resource
from meditron_operator.shell.extent import Extent
from meditron_operator.shell.store import Feed, ObjectKey, key_of

# The server sends a bookmark about once a minute, so a longer silence is a dead connection.
SILENCE_SECONDS: Final = 75.0
_RECONNECT_SECONDS: Final = 0.1  # the server ends a watch every few minutes; never spin if it does so at once
CONFIRM_SECONDS: Final = 8
"""From a list that left out what was there to the next one: a list may be wrong, and no watch tells of what was there
all along. Less than any silence that counts as a dead connection."""
_SHORT_SECONDS: Final = 1.0  # a watch that ended sooner waits that long before the next

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon a dead watch is noticed."""

    silence_seconds: float = SILENCE_SECONDS
    server_seconds: int | None = None  # after which the server is asked to end it; None leaves that to the server


USUAL_PACE: Final = Pace()


class Watch:
    """Keeps a store equal to the server, for ever, as far as its extent goes."""

    def __init__(  # noqa: PLR0913 - the pace has a default that all but one use
        self,
        cluster: Cluster,
        resource: Resource,
        store: Feed,
        extent: Extent,
        chance: Chance,
        *,
        pace: Pace = USUAL_PACE,
    ) -> None:
        self.resource = resource
        self.extent = extent
        self.refused = False  # by the last answer: 403, as in a namespace that is not there any more
        self.answered = asyncio.Event()  # with a list or with a refusal
        self.synced = asyncio.Event()
        self.last_heard: float | None = None
        self._cluster = cluster
        self._store = store
        self._chance = chance
        self._pace = pace
        self._version: str | None = None
        self._doubted = False  # the last list
        self._backoff = Backoff(chance)

    async def run(self) -> None:
        """List, watch, and begin again after whatever breaks; never returns."""
        while True:
            begin = self._chance.clock()
            try:
                await self._follow()
                if self._chance.clock() - begin < _SHORT_SECONDS:
                    await asyncio.sleep(_RECONNECT_SECONDS)
            except ApiError as error:
                if isinstance(error, NotFoundError):
                    self._version = None  # 410 Gone: too old to go on from, so list anew
                if isinstance(error, RefusedError):
                    self.refused = True
                    self.answered.set()
                delay = self._backoff.after(error)
                log.warning(
                    "watch interrupted",
                    plural=self.resource.plural,
                    **({"namespace": self.extent.namespace} if self.extent.namespace else {}),
                    error=str(error),
                    again_in_seconds=round(delay, 1),
                )
                await asyncio.sleep(delay)

    async def _follow(self) -> None:
        if self._version is None:
            self._version = await self._list()
            self.synced.set()
            self.answered.set()
        silence_seconds = self._pace.silence_seconds
        server_seconds = CONFIRM_SECONDS if self._doubted else self._pace.server_seconds
        stream = self._cluster.watch(self.resource, self.extent, self._version, silence_seconds, server_seconds)
        async for kind, obj in stream:
            self._heard()
            self._take(kind, obj)
            self._backoff.succeeded()
        self._heard()  # an end in good order is a word too
        self._backoff.succeeded()
        if self._doubted:
            self._version = await self._list()
            self._doubted = False

    async def _list(self) -> str:
        """Take in all there is, page by page; the version of which to watch on from."""
        listed, version = set[ObjectKey](), ""
        async for objects, moment in self._cluster.pages(self.resource, self.extent):
            self._heard()
            for obj in objects:
                self._store.put(obj, moment)
            listed.update(map(key_of, objects))
            version = moment
        self._doubted |= self._store.retain(listed, version, self.extent)
        return version

    def _take(self, kind: str, obj: Mapping[str, Any]) -> None:
        if kind == "ERROR":
            if obj.get("code") == 410:
                raise NotFoundError(str(obj.get("message")))
            raise UnavailableError(str(obj.get("message")))
        if kind == "DELETED":
            self._store.drop(obj)
        elif kind in ("ADDED", "MODIFIED"):
            self._store.put(obj)
        self._version = obj["metadata"]["resourceVersion"]

    def _heard(self) -> None:
        self.last_heard, self.refused = self._chance.clock(), False
