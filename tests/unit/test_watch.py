"""A watch against a server that does what servers, proxies and networks do."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from meditron_operator.errors import UnavailableError
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import PODS, Cluster
from meditron_operator.shell.extent import ALL, Extent
from meditron_operator.shell.store import Store
from meditron_operator.shell.watch import CONFIRM_SECONDS, Watch
from tests.unit.apiserver import DROP, END, HOLD, Answer, ApiServer, bookmark, connected, event, gone, thing
from tests.unit.eventually import DEADLINE_SECONDS, eventually

EMPTY: list[dict[str, Any]] = []
LABELLED = Extent(selector="a=b")


@dataclass
class Followed:
    """A watch that runs, and a way to wait for what it brings."""

    watch: Watch
    store: Store[str]
    server: ApiServer

    async def names(self, *expected: str) -> None:
        await eventually(lambda: sorted(self.store.all()) == sorted(expected))

    @property
    def lists(self) -> int:
        return sum("watch" not in query for query in self.server.asked)

    @property
    def watched_from(self) -> list[str]:
        return [query["resourceVersion"] for query in self.server.asked if "watch" in query]

    @property
    def asked_to_end_after(self) -> list[str | None]:
        return [query.get("timeoutSeconds") for query in self.server.asked if "watch" in query]


@asynccontextmanager
async def following(
    server: ApiServer, clock: Callable[[], float] = lambda: 0.0, extent: Extent = LABELLED
) -> AsyncIterator[Followed]:
    def name(obj: Mapping[str, Any]) -> str:
        return str(obj["metadata"]["name"])

    async with connected(server) as (cluster, _):
        store = Store[str](name, lambda _: None, lambda _: None)
        watch = Watch(cluster, PODS, store, extent, Chance(clock=clock, random=lambda: 0.0))
        task = asyncio.create_task(watch.run())
        try:
            yield Followed(watch, store, server)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def listing(*names: str, version: int = 10) -> tuple[list[dict[str, Any]], int]:
    return [thing(name, 1) for name in names], version


async def test_lists_and_then_follows() -> None:
    news: list[bytes | str] = [
        event("ADDED", thing("b", 11)),
        event("MODIFIED", thing("a", 12)),
        event("DELETED", thing("b", 13)),
        HOLD,
    ]
    server = ApiServer(lists=deque([listing("a")]), watches=deque([news]))
    async with following(server) as followed:
        await eventually(lambda: followed.watch._version == "13")
        await followed.names("a")
        assert followed.watch.synced.is_set()
    assert server.asked[0]["labelSelector"] == "a=b"
    assert server.asked[1]["resourceVersion"] == "10"
    assert server.asked[1]["allowWatchBookmarks"] == "true"


def page(*names: str, version: int = 10, more: str = "") -> Answer:
    """One of several."""
    meta = {"resourceVersion": str(version), "continue": more}
    return Answer(200, json.dumps({"items": [thing(name, 1) for name in names], "metadata": meta}).encode())


async def test_a_large_kind_comes_in_pages() -> None:
    lists: deque[Any] = deque([page("a", "b", more="x"), page("c", more="y"), page("d")])
    async with following(ApiServer(lists=lists)) as followed:
        await eventually(lambda: followed.watched_from == ["10"])
        await followed.names("a", "b", "c", "d")
        asked = [query for query in followed.server.asked if "watch" not in query]
        assert [query.get("continue") for query in asked] == [None, "x", "y"]
        assert {query["limit"] for query in asked} == {"500"}
        assert {query["labelSelector"] for query in asked} == {"a=b"}


@pytest.mark.parametrize("broken", [Answer(410, b'{"message": "too old"}'), Answer(503), Answer(200, b"<html>")])
async def test_a_list_that_breaks_in_its_middle_drops_nothing(broken: Answer) -> None:
    """What its later pages would have shown is not gone."""
    first: Any = listing("kept", "ghost")
    lists: deque[Any] = deque([first, page("new", version=20, more="x"), broken, page("new", "kept", version=30)])
    async with following(ApiServer(lists=lists, watches=deque([[gone()]]))) as followed:
        seen: list[set[str]] = []

        def is_over() -> bool:
            seen.append(set(followed.store.all()))
            return followed.watched_from == ["10", "30"]

        await eventually(is_over)
        assert all("kept" in stored for stored in seen if stored)
        assert {"kept", "ghost", "new"} in seen
        await followed.names("kept", "new")


@pytest.mark.parametrize("item", [{}, None, 7, {"metadata": {}}, {"metadata": {"name": "a", "resourceVersion": "x"}}])
async def test_an_item_that_is_no_object_makes_no_list(item: Any) -> None:
    body = json.dumps({"items": [item], "metadata": {"resourceVersion": "10"}}).encode()
    async with following(ApiServer(lists=deque([Answer(200, body), listing("a")]))) as followed:
        await followed.names("a")


async def test_not_synced_before_the_first_list() -> None:
    server = ApiServer(lists=deque([Answer(503), listing("a")]))
    async with following(server) as followed:
        assert not followed.watch.synced.is_set()
        await followed.names("a")
        assert followed.watch.synced.is_set()


async def test_a_stream_that_ends_goes_on_from_the_last_word() -> None:
    watches: deque[Any] = deque([[event("ADDED", thing("a", 11)), END], [bookmark(15), END], [HOLD]])
    async with following(ApiServer(lists=deque([listing()]), watches=watches)) as followed:
        await eventually(lambda: len(followed.watched_from) == 3)
        assert followed.watched_from == ["10", "11", "15"]
        assert followed.lists == 1


async def test_a_cut_connection_goes_on_from_the_last_word() -> None:
    watches: deque[Any] = deque([[event("ADDED", thing("a", 11)), DROP], [event("ADDED", thing("b", 12)), HOLD]])
    async with following(ApiServer(lists=deque([listing()]), watches=watches)) as followed:
        await followed.names("a", "b")
        assert followed.watched_from == ["10", "11"]
        assert followed.lists == 1


@pytest.mark.parametrize(
    "refusal",
    [Answer(410, b'{"kind": "Status", "message": "too old"}'), [gone()], [event("ADDED", thing("b", 11)), gone()]],
    ids=["answer", "event", "event after news"],
)
async def test_410_lists_anew_and_drops_the_ghosts(refusal: Any) -> None:
    server = ApiServer(
        lists=deque([listing("ghost", "kept"), listing("kept", "new", version=20)]), watches=deque([refusal])
    )
    async with following(server) as followed:
        await followed.names("kept", "new")
        await eventually(lambda: len(followed.watched_from) == 2)
        assert followed.watched_from == ["10", "20"]


async def test_a_list_that_left_something_out_is_asked_for_again() -> None:
    """No watch would tell of what was there all along. The watch in between is asked to be short."""
    lists: deque[Any] = deque([listing("a", "b"), listing("b", version=20), listing("a", "b", version=30)])
    watches: deque[Any] = deque([[gone()], [bookmark(21), END], [HOLD]])
    async with following(ApiServer(lists=lists, watches=watches)) as followed:
        await eventually(lambda: followed.watched_from == ["10", "20", "30"])
        await followed.names("a", "b")
        assert followed.asked_to_end_after == [None, str(CONFIRM_SECONDS), None]


async def test_it_is_not_asked_for_again_before_a_watch_has_worked() -> None:
    """Who cuts watches may still answer with wrong lists."""
    lists: deque[Any] = deque([listing("a"), listing(version=20), listing(version=25), listing("a", version=30)])
    watches: deque[Any] = deque([[gone()], [gone()], [END], [HOLD]])
    async with following(ApiServer(lists=lists, watches=watches)) as followed:
        await eventually(lambda: followed.watched_from == ["10", "20", "25", "30"])
        await followed.names("a")


async def test_what_two_lists_leave_out_is_gone() -> None:
    lists: deque[Any] = deque([listing("a", "b"), listing("b", version=20), listing("b", version=30)])
    watches: deque[Any] = deque([[gone()], [END], [bookmark(31), END], [HOLD]])
    async with following(ApiServer(lists=lists, watches=watches)) as followed:
        await eventually(lambda: followed.watched_from == ["10", "20", "30", "31"])
        await followed.names("b")
        assert followed.lists == 3


async def test_a_second_list_that_fails_is_asked_for_once_more() -> None:
    lists: deque[Any] = deque([listing("a"), listing(version=20), Answer(503), listing("a", version=30)])
    watches: deque[Any] = deque([[gone()], [END], [END], [HOLD]])
    async with following(ApiServer(lists=lists, watches=watches)) as followed:
        await eventually(lambda: followed.watched_from == ["10", "20", "20", "30"])
        await followed.names("a")


async def test_other_errors_in_the_stream_do_not_list_anew() -> None:
    server = ApiServer(
        lists=deque([listing("a")]), watches=deque([[gone(500)], [event("ADDED", thing("b", 11)), HOLD]])
    )
    async with following(server) as followed:
        await followed.names("a", "b")
        assert followed.lists == 1


async def test_a_server_that_refuses_every_version_is_not_hammered() -> None:
    """Each list may be the whole cluster's pods: the pauses grow, though every list succeeds."""
    refusing: deque[Any] = deque([[gone()] for _ in range(50)])
    with capture_logs() as logs:
        async with following(ApiServer(lists=deque([listing("a")]), watches=refusing)) as followed:
            await eventually(lambda: followed.lists == 4)
    assert pauses(logs)[:3] == [0.1, 0.2, 0.4]


async def test_after_an_outage_an_expired_version_is_listed_anew_at_once() -> None:
    """The pauses of the outage are over: else nothing would be seen for another minute."""
    watches: deque[Any] = deque([*[Answer(503)] * 4, [gone()], [event("ADDED", thing("b", 21)), HOLD]])
    with capture_logs() as logs:
        async with following(
            ApiServer(lists=deque([listing(), listing("a", version=20)]), watches=watches)
        ) as followed:
            await followed.names("a", "b")
    assert pauses(logs) == [0.1, 0.2, 0.4, 0.8, 0.1]


async def test_success_forgets_earlier_failures() -> None:
    watches: deque[Any] = deque([Answer(503), Answer(503), [bookmark(11), END], Answer(503), [HOLD]])
    with capture_logs() as logs:
        async with following(ApiServer(lists=deque([listing()]), watches=watches)) as followed:
            await eventually(lambda: len(followed.watched_from) == 5)
    assert pauses(logs) == [0.1, 0.2, 0.1]


def pauses(logs: list[Any]) -> list[float]:
    """Seconds until it tried again, of each interruption."""
    return [entry["again_in_seconds"] for entry in logs]


async def test_bookmarks_alone_are_a_sign_of_life() -> None:
    now = iter(range(1000))
    server = ApiServer(lists=deque([listing()]), watches=deque([[bookmark(11), bookmark(12), HOLD]]))
    async with following(server, lambda: float(next(now))) as followed:
        await eventually(lambda: followed.watch._version == "12")
        assert followed.watch.last_heard == 3.0
        assert followed.store.all() == ()


async def test_an_event_may_come_in_pieces_and_many_in_one() -> None:
    text = event("ADDED", thing("a", 11)) + b"\n" + event("ADDED", thing("b", 12)) + event("ADDED", thing("c", 13))
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    async with following(ApiServer(lists=deque([listing()]), watches=deque([[*pieces, HOLD]]))) as followed:
        await followed.names("a", "b", "c")


async def test_a_line_longer_than_any_buffer() -> None:
    large = event("ADDED", thing("a", 11, text="x" * 3_000_000))
    async with following(ApiServer(lists=deque([listing()]), watches=deque([[large, HOLD]]))) as followed:
        await followed.names("a")


async def test_half_an_event_at_the_end_is_no_event() -> None:
    half = event("DELETED", thing("a", 11))[:-20]
    watches: deque[Any] = deque([[half, END], [event("ADDED", thing("b", 12)), HOLD]])
    async with following(ApiServer(lists=deque([listing("a")]), watches=watches)) as followed:
        await followed.names("a", "b")
        assert followed.watched_from == ["10", "10"]


@pytest.mark.parametrize(
    "noise",
    [
        b"<html>bad gateway</html>\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'"text"\n',
        b'{"kind": "Status", "code": 503}\n',
        b"\xff\xfe\n",
        b'{"type": "ADDED", "object": {}}\n',
        b'{"type": "ADDED", "object": null}\n',
        b'{"type": "ERROR", "object": {}}\n',
        b'{"type": "ERROR", "object": null}\n',
        b'{"type": "BOOKMARK", "object": {"metadata": {}}}\n',
    ],
)
async def test_noise_of_whoever_stands_between_does_not_end_the_watch(noise: bytes) -> None:
    watches: deque[Any] = deque([[noise, HOLD], [event("ADDED", thing("b", 12)), HOLD]])
    async with following(ApiServer(lists=deque([listing("a")]), watches=watches)) as followed:
        await followed.names("a", "b")


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
async def test_no_answer_to_a_list_ends_the_watch(status: int) -> None:
    async with following(ApiServer(lists=deque([Answer(status, b"[]"), listing("a")]))) as followed:
        await followed.names("a")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"metadata": null}', b"<html>"])
async def test_no_nonsense_in_place_of_a_list_ends_the_watch(body: bytes) -> None:
    async with following(ApiServer(lists=deque([Answer(200, body), listing("a")]))) as followed:
        await followed.names("a")


async def test_it_looks_at_one_namespace_and_says_where_it_may_not() -> None:
    """The namespace may come back, or the right to look there."""
    server = ApiServer(lists=deque([Answer(403, b"{}"), listing("a")]))
    async with following(server, extent=Extent(namespace="ns", selector="a=b")) as followed:
        await followed.names("a")
        assert followed.watch.answered.is_set()
        assert not followed.watch.refused
        await eventually(lambda: bool(followed.watched_from))
        assert {asked["path"] for asked in server.asked} == {"/api/v1/namespaces/ns/pods"}
        assert {asked["labelSelector"] for asked in server.asked} == {"a=b"}


async def test_a_refusal_is_an_answer_but_no_list() -> None:
    async with following(ApiServer(lists=deque([Answer(403, b"{}")])), extent=Extent(namespace="ns")) as followed:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await followed.watch.answered.wait()
        assert followed.watch.refused
        assert not followed.watch.synced.is_set()


async def test_a_single_object_is_asked_for_by_its_name() -> None:
    """RBAC allows what asks for a name that it lists, and nothing wider."""
    async with following(ApiServer(lists=deque([listing("a")])), extent=Extent(name="a")) as followed:
        await eventually(lambda: bool(followed.watched_from))
        assert {asked["fieldSelector"] for asked in followed.server.asked} == {"metadata.name=a"}


async def test_silence_is_a_broken_connection() -> None:
    server = ApiServer(watches=deque([[bookmark(11), HOLD]]))
    async with connected(server) as (cluster, _):
        with pytest.raises(UnavailableError, match="watch of pods broke"):
            await consume(cluster, silence=0.05)


async def test_a_line_without_end_is_refused() -> None:
    server = ApiServer(watches=deque([[b"x" * 2**20] * 9 + [HOLD]]))
    async with connected(server) as (cluster, _):
        with pytest.raises(UnavailableError, match="more than 8388608 bytes"):
            await consume(cluster, silence=5)


async def consume(cluster: Cluster, silence: float) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for _ in cluster.watch(PODS, ALL, "10", silence):
            pass
