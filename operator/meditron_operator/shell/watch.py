"""One kind of object, listed and then watched into a store.

Kopf's own watch tells nobody what vanished between two lists (after a 410 Gone), nor when the first list is
complete, nor how old its last word is; and it ends the process for a line that is no event. A child that was deleted
in such a gap would never be repaired, and a restart would write before it had read: hence this one, for every kind.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog

from meditron_operator.errors import ApiError, NotFoundError, UnavailableError
from meditron_operator.shell.cluster import Cluster, Resource
from meditron_operator.shell.workqueue import Chance, backoff_seconds

# The server sends a bookmark about once a minute, so a longer silence is a dead connection.
SILENCE_SECONDS: Final = 75.0
_REMEMBERED_GONE: Final = 1000  # far more than can be deleted while the answer to a write is under way
_REMEMBERED_LEFT_OUT: Final = 10_000  # more children than we can have; beyond it their creation is refused instead
_RECONNECT_SECONDS: Final = 0.1  # the server ends a watch every few minutes; never spin if it does so at once
_SHORT_SECONDS: Final = 1.0  # a watch that ended sooner waits that long before the next

ObjectKey = tuple[str, str]
"""Namespace and name."""

log = structlog.get_logger(__name__)


Item = TypeVar("Item")

Changed = Callable[[Item], None]


class Store(Generic[Item]):
    """The objects of one kind, each cut down to an `Item`, with an index by group."""

    def __init__(
        self,
        project: Callable[[Mapping[str, Any]], Item | None],
        group: Callable[[Item], Any],
        changed: Changed[Item],
    ) -> None:
        """`project` may return None for objects of no interest; `changed` hears of every real change."""
        self._project = project
        self._group = group
        self._changed = changed
        self._items: dict[ObjectKey, Item] = {}
        self._versions: dict[ObjectKey, int] = {}
        self._gone: dict[ObjectKey, int] = {}  # when the lately deleted went
        self._left_out: set[ObjectKey] = set()
        self._groups: dict[Any, dict[ObjectKey, Item]] = {}

    def group(self, key: Any) -> tuple[Item, ...]:
        """The items of one group."""
        return tuple(self._groups.get(key, {}).values())

    def all(self) -> tuple[Item, ...]:
        return tuple(self._items.values())

    def get(self, key: ObjectKey) -> Item | None:
        return self._items.get(key)

    def is_left_out(self, key: ObjectKey) -> bool:
        """Whether it was there, and nothing but a list says that it isn't any more: lists may be wrong."""
        return key in self._left_out

    def put(self, obj: Mapping[str, Any], as_of: str = "0") -> None:
        """Take in an object as the server shows it, from a list `as_of` a version, a watch or an answer to a write.

        These may overtake each other: older news than what is known is left out. Kubernetes promises since
        1.35 that resourceVersions of one kind are numbers in the order of the changes; all releases did so.
        """
        key, version = key_of(obj), int(obj["metadata"]["resourceVersion"])
        if version < self._versions.get(key, 0) or max(version, int(as_of)) < self._gone.get(key, 0):
            return
        try:
            item = self._project(obj)
        except (LookupError, TypeError, ValueError, AttributeError):  # anybody's pod; it must not end the watch
            log.exception("object not understood", namespace=key[0], name=key[1])
            return
        if item is None:
            self._remove(key)
            return
        self._versions[key] = version
        self._left_out.discard(key)
        if self._items.get(key) != item:
            self._insert(key, item)

    def confirm(self, obj: Mapping[str, Any]) -> None:
        """Take in an object that was read by its name: it is there, whatever a list before left out."""
        if self.is_left_out(key_of(obj)):
            self._gone.pop(key_of(obj), None)
        self.put(obj)

    def drop(self, obj: Mapping[str, Any]) -> None:
        """The object is gone: an answer to a write before that, which comes late, must not bring it back."""
        self._left_out.discard(key_of(obj))
        self._remove(key_of(obj), int(obj["metadata"]["resourceVersion"]))

    def discard(self, key: ObjectKey) -> None:
        """The object of that name is gone."""
        self._left_out.discard(key)
        self._remove(key)

    def retain(self, keys: Set[ObjectKey], version: str) -> None:
        """A complete list as of `version` holds these: whatever else is known is gone, unless it is younger."""
        for key in self._items.keys() - keys:
            if self._versions[key] <= int(version):
                self._remove(key, int(version))
                if len(self._left_out) < _REMEMBERED_LEFT_OUT:
                    self._left_out.add(key)

    def _insert(self, key: ObjectKey, item: Item) -> None:
        old = self._items.get(key)
        if old is not None:
            self._ungroup(key, old)
        self._items[key] = item
        self._groups.setdefault(self._group(item), {})[key] = item
        if old is not None and self._group(old) != self._group(item):
            self._changed(old)
        self._changed(item)

    def _remove(self, key: ObjectKey, gone_since: int = 0) -> None:
        item = self._items.pop(key, None)
        self._versions.pop(key, None)
        if item is not None:
            if gone_since:
                self._gone[key] = gone_since
            if len(self._gone) > _REMEMBERED_GONE:
                del self._gone[next(iter(self._gone))]
            self._ungroup(key, item)
            self._changed(item)

    def _ungroup(self, key: ObjectKey, item: Item) -> None:
        group = self._group(item)
        members = self._groups[group]
        del members[key]
        if not members:
            del self._groups[group]


def key_of(obj: Mapping[str, Any]) -> ObjectKey:
    """Under which an object is stored."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Feed(Protocol):
    """What takes news in: a store, or two."""

    def put(self, obj: Mapping[str, Any], as_of: str = "0") -> None: ...
    def confirm(self, obj: Mapping[str, Any]) -> None: ...
    def drop(self, obj: Mapping[str, Any]) -> None: ...
    def discard(self, key: ObjectKey) -> None: ...
    def retain(self, keys: Set[ObjectKey], version: str) -> None: ...


def replace_all(feed: Feed, objects: Sequence[Mapping[str, Any]], version: str) -> None:
    """A complete list as of `version`."""
    feed.retain({key_of(obj) for obj in objects}, version)
    for obj in objects:
        feed.put(obj, version)


class Both:
    """Two stores of the same objects, each grouped in its own way."""

    def __init__(self, one: Feed, other: Feed) -> None:
        self._feeds = (one, other)

    def put(self, obj: Mapping[str, Any], as_of: str = "0") -> None:
        for feed in self._feeds:
            feed.put(obj, as_of)

    def confirm(self, obj: Mapping[str, Any]) -> None:
        for feed in self._feeds:
            feed.confirm(obj)

    def drop(self, obj: Mapping[str, Any]) -> None:
        for feed in self._feeds:
            feed.drop(obj)

    def discard(self, key: ObjectKey) -> None:
        for feed in self._feeds:
            feed.discard(key)

    def retain(self, keys: Set[ObjectKey], version: str) -> None:
        for feed in self._feeds:
            feed.retain(keys, version)


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon a dead watch is noticed."""

    silence_seconds: float = SILENCE_SECONDS
    server_seconds: int | None = None  # after which the server is asked to end it; None leaves that to the server


USUAL_PACE: Final = Pace()


class Watch:
    """Keeps a store equal to the server, for ever."""

    def __init__(  # noqa: PLR0913 - the pace has a default that all but one use
        self,
        cluster: Cluster,
        resource: Resource,
        store: Feed,
        selector: str,
        chance: Chance,
        *,
        pace: Pace = USUAL_PACE,
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self.last_heard: float | None = None
        self._cluster = cluster
        self._store = store
        self._selector = selector
        self._chance = chance
        self._pace = pace
        self._version: str | None = None
        self._failures = 0

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
                self._failures += 1
                delay = error.retry_after or backoff_seconds(self._failures, self._chance.random())
                log.warning(
                    "watch interrupted",
                    plural=self.resource.plural,
                    error=str(error),
                    again_in_seconds=round(delay, 1),
                )
                await asyncio.sleep(delay)

    async def _follow(self) -> None:
        if self._version is None:
            self._version = await self._list()
            self.synced.set()
        pace = self._pace
        stream = self._cluster.watch(
            self.resource, self._selector, self._version, pace.silence_seconds, pace.server_seconds
        )
        async for kind, obj in stream:
            self._heard()
            self._take(kind, obj)
            self._failures = 0
        self._heard()  # an end in good order is a word too
        self._failures = 0

    async def _list(self) -> str:
        """Take in all there is, page by page; the version of which to watch on from."""
        listed, version = set[ObjectKey](), ""
        async for objects, moment in self._cluster.pages(self.resource, self._selector):
            self._heard()
            for obj in objects:
                self._store.put(obj, moment)
            listed.update(map(key_of, objects))
            version = moment
        self._store.retain(listed, version)
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
        self.last_heard = self._chance.clock()
