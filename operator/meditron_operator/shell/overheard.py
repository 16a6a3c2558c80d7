"""What Kopf's own watches of the deployments hear: seen in the session that they share with us, and nowhere else."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

from yarl import URL

from meditron_operator import names
from meditron_operator.shell.cluster import DEPLOYMENTS
from meditron_operator.shell.extent import Reach

# Selects all deployments, and tells our own lists from Kopf's: nobody labels anything with this.
_EVERYTHING: Final = f"!{names.GROUP}/never-set"


class Overheard:
    """One of Kopf's watches for each place that the operator reaches."""

    def __init__(self, reach: Reach, clock: Callable[[], float]) -> None:
        self.extents: Final = tuple(reach.extents(_EVERYTHING))
        """For lists of our own that are none of Kopf's."""
        self.relisted: Final = asyncio.Event()
        """Kopf had to list deployments anew, and tells nobody which are gone."""
        self._clock = clock
        self._places = {DEPLOYMENTS.path(place): place for place in reach.places}
        self._lists = Counter[str]()
        self._heard: dict[str, float] = {}

    def answered(self, method: str, url: URL) -> None:
        """Every success of the session passes here."""
        place = self._places.get(url.path)
        if method != "GET" or place is None or url.query.get("labelSelector") == _EVERYTHING:
            return
        self._heard[place] = self._clock()
        if "watch" not in url.query:
            self._lists[place] += 1
            if self._lists[place] > 1:
                self.relisted.set()

    def heard(self, shut: Collection[str]) -> dict[str, float | None]:
        """When each place was last heard of, None for never; without what is shut."""
        return {place: self._heard.get(place) for place in self._places.values() if place not in shut}
