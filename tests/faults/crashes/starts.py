"""Every pod that was ever made while one looked, however short it lived."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.cluster.support import Admin

_TURN_SECONDS: Final = 2


class PodStarts:
    """Counts them by namespace, from one watch for all.

    Kwok ends pods by their name, without a grace. Now and then it thereby ends the successor of the one that it was to
    end, which nobody had asked for: whoever else ends a replica leaves it its grace. Such a successor is left out.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._pods = Admin(kubeconfig).resource("Pod")
        self._seen: dict[str, dict[str, str]] = defaultdict(dict)
        self._to_end: set[str] = set()
        self._ended = threading.Event()

    def of(self, namespace: str) -> dict[str, str]:
        """The name of each pod by its uid, also of those that are gone."""
        return dict(self._seen[namespace])

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While it lasts."""
        version = self._pods.get().metadata.resourceVersion
        thread = threading.Thread(target=self._follow, args=(version,), name="pod starts")
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _follow(self, version: str) -> None:
        while not self._ended.is_set():
            for event in self._pods.watch(resource_version=version, timeout=_TURN_SECONDS):
                meta = event["raw_object"]["metadata"]
                version = meta["resourceVersion"]
                self._take(event["type"], meta)

    def _take(self, kind: str, meta: dict[str, Any]) -> None:
        uid, seen = meta["uid"], self._seen[meta["namespace"]]
        if kind != "DELETED":
            seen[uid] = meta["name"]
            if meta.get("deletionGracePeriodSeconds"):
                self._to_end.add(uid)
        elif uid not in self._to_end:
            seen.pop(uid, None)
