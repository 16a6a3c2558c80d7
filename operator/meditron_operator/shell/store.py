"""The objects of one kind as the API server last showed them, each cut down to what is looked at."""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog

from meditron_operator.shell.extent import ALL, Extent

_REMEMBERED_GONE: Final = 1000  # far more than can be deleted while the answer to a write is under way
_REMEMBERED_LEFT_OUT: Final = 10_000  # more children than we can have; beyond it their creation is refused instead

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

    def put(self, obj: Mapping[str, Any], as_of: str = "0", *, quiet: bool = False) -> None:
        """Take in an object as the server shows it, from a list `as_of` a version, a watch or an answer to a write.

        These may overtake each other: older news than what is known is left out, and so is the echo of a write.
        Kubernetes promises since 1.35 that resourceVersions of one kind are numbers in the order of the changes; all
        releases did so. When `quiet`, nobody is told.
        """
        key, version = key_of(obj), int(obj["metadata"]["resourceVersion"])
        known = self._versions.get(key, 0)
        if version < known or max(version, int(as_of)) < self._gone.get(key, 0):
            return
        if version == known:
            self._left_out.discard(key)
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
            self._insert(key, item, quiet=quiet)

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

    def retain(self, keys: Set[ObjectKey], version: str, extent: Extent = ALL) -> bool:
        """A complete list of `extent` as of `version` holds these: what else is known of it is gone, unless younger.
        Whether there was anything else."""
        left_out = self._left_out_by(keys, version, extent)
        for key in left_out:
            self._remove(key, int(version))
            if len(self._left_out) < _REMEMBERED_LEFT_OUT:
                self._left_out.add(key)
        return bool(left_out)

    def _left_out_by(self, keys: Set[ObjectKey], version: str, extent: Extent) -> list[ObjectKey]:
        others = self._items.keys() - keys
        return [key for key in others if extent.covers(*key) and self._versions[key] <= int(version)]

    def _insert(self, key: ObjectKey, item: Item, *, quiet: bool) -> None:
        old = self._items.get(key)
        if old is not None:
            self._ungroup(key, old)
        self._items[key] = item
        self._groups.setdefault(self._group(item), {})[key] = item
        if old is not None and self._group(old) != self._group(item):
            self._changed(old)
        if not quiet:
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

    def put(self, obj: Mapping[str, Any], as_of: str = "0", *, quiet: bool = False) -> None: ...
    def confirm(self, obj: Mapping[str, Any]) -> None: ...
    def drop(self, obj: Mapping[str, Any]) -> None: ...
    def discard(self, key: ObjectKey) -> None: ...
    def retain(self, keys: Set[ObjectKey], version: str, extent: Extent = ALL) -> bool: ...


def replace_all(feed: Feed, objects: Sequence[Mapping[str, Any]], version: str, extent: Extent = ALL) -> None:
    """A complete list of `extent` as of `version`."""
    feed.retain({key_of(obj) for obj in objects}, version, extent)
    for obj in objects:
        feed.put(obj, version)


class Both:
    """Two stores of the same objects, each grouped in its own way."""

    def __init__(self, one: Feed, other: Feed) -> None:
        self._feeds = (one, other)

    def put(self, obj: Mapping[str, Any], as_of: str = "0", *, quiet: bool = False) -> None:
        for feed in self._feeds:
            feed.put(obj, as_of, quiet=quiet)

    def confirm(self, obj: Mapping[str, Any]) -> None:
        for feed in self._feeds:
            feed.confirm(obj)

    def drop(self, obj: Mapping[str, Any]) -> None:
        for feed in self._feeds:
            feed.drop(obj)

    def discard(self, key: ObjectKey) -> None:
        for feed in self._feeds:
            feed.discard(key)

    def retain(self, keys: Set[ObjectKey], version: str, extent: Extent = ALL) -> bool:
        left_out = [feed.retain(keys, version, extent) for feed in self._feeds]
        return any(left_out)
