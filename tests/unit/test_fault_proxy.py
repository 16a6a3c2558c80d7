"""The proxy of the fault tests: it changes what a rule names, and nothing else."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kubernetes.client import Configuration

from meditron_operator.errors import ApiError, ConflictError, NotFoundError, UnavailableError
from meditron_operator.shell.cluster import DEPLOYMENTS, PODS, Cluster
from meditron_operator.shell.session import connect
from tests.faults import kinds
from tests.faults.calls import Call, parse, verb
from tests.faults.proxy import Fault, FaultProxy, Rule
from tests.unit.apiserver import END, ApiServer, bookmark, event, serving, thing

STATUS = "/apis/meditron.ai/v1alpha1/namespaces/ward/meditrondeployments/notes/status"


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "call"),
    [
        ("GET", "/version", {}, b"", Call("get", "/version")),
        ("GET", "/api/v1/pods", {}, b"", Call("list", "pods")),
        ("GET", "/api/v1/pods", {"watch": "true"}, b"", Call("watch", "pods")),
        ("GET", "/api/v1/namespaces", {}, b"", Call("list", "namespaces")),
        ("GET", "/api/v1/namespaces/ward", {}, b"", Call("get", "namespaces", "", "ward")),
        ("GET", "/api/v1/namespaces/ward/pods/notes-0/log", {}, b"", Call("get", "pods/log", "ward", "notes-0")),
        ("PATCH", STATUS, {}, b"{}", Call("patch", "meditrondeployments/status", "ward", "notes")),
        (
            "POST",
            "/apis/apps/v1/namespaces/ward/statefulsets",
            {},
            b'{"metadata": {"name": "notes"}}',
            Call("create", "statefulsets", "ward", "notes"),
        ),
        ("POST", "/api/v1/namespaces/ward/pods", {}, b"nonsense", Call("create", "pods", "ward")),
        ("DELETE", "/api/v1/namespaces/ward/pods", {}, b"", Call("deletecollection", "pods", "ward")),
        ("DELETE", "/api/v1/namespaces/ward/pods/a", {}, b"", Call("delete", "pods", "ward", "a")),
        ("PUT", "/api/v1/namespaces/ward/services/a", {}, b"", Call("update", "services", "ward", "a")),
    ],
)
def test_a_request_in_the_words_of_rbac(method: str, path: str, query: dict[str, str], body: bytes, call: Call) -> None:
    assert parse(method, path, query, body) == call


@asynccontextmanager
async def behind(server: ApiServer) -> AsyncIterator[tuple[FaultProxy, Cluster]]:
    """The product's client, the proxy, and a server as the script says."""
    async with serving(server) as url:
        upstream = Configuration()
        upstream.host = url
        with FaultProxy(upstream) as proxy:
            configuration = Configuration()
            configuration.host = proxy.url
            connection = connect(configuration)
            try:
                yield proxy, Cluster(connection, request_timeout_seconds=1.0)
            finally:
                await connection.http.close()


async def events_of(cluster: Cluster) -> list[tuple[str, dict[str, Any]]]:
    return [found async for found in cluster.watch(PODS, "", "5", silence_seconds=1.0)]


async def test_without_a_rule_it_hands_on_lists_and_watches() -> None:
    server = ApiServer(lists=deque([([thing("a", 7)], 9)]), watches=deque([[event("ADDED", thing("b", 10)), END]]))
    async with behind(server) as (proxy, cluster):
        assert await cluster.list(PODS, "app=x") == ([thing("a", 7)], "9")
        assert await events_of(cluster) == [("ADDED", thing("b", 10))]
        assert proxy.calls == [Call("list", "pods"), Call("watch", "pods")]
        assert server.asked[0]["labelSelector"] == "app=x"


async def test_a_rule_holds_for_what_it_names_as_often_as_it_says_and_while_it_is_there() -> None:
    server = ApiServer(lists=deque([([], 9)]))
    async with behind(server) as (proxy, cluster):

        async def outcome(resource: Any) -> str:
            try:
                await cluster.list(resource)
            except ApiError:
                return "fault"
            return "well"

        rule = Rule(verb("list", resource="pods"), kinds.answer(503, "Down"), every=2, times=2)
        with proxy.fault(rule) as armed:
            assert [await outcome(PODS) for _ in range(6)] == ["well", "fault", "well", "fault", "well", "well"]
            assert await outcome(DEPLOYMENTS) == "well"
        assert armed.hits == 2
        with proxy.fault(Rule(verb("list"), kinds.drop)):
            assert await outcome(PODS) == "fault"
        assert await outcome(PODS) == "well"


@pytest.mark.parametrize(
    ("fault", "error", "reached"),
    [
        (kinds.answer(409, "Conflict"), ConflictError, False),
        (kinds.answer(410, "Expired"), NotFoundError, False),
        (kinds.answer(429, "TooManyRequests", retry_after=7), UnavailableError, False),
        (kinds.page, UnavailableError, False),
        (kinds.drop, UnavailableError, False),
        (kinds.hang, UnavailableError, False),
        (kinds.half, UnavailableError, True),
        (kinds.lose_answer, UnavailableError, True),
    ],
)
async def test_what_becomes_of_a_request(fault: Fault, error: type[ApiError], *, reached: bool) -> None:
    server = ApiServer(lists=deque([([thing("a", 7)], 9)]))
    async with behind(server) as (proxy, cluster):
        with proxy.fault(Rule(verb("list"), fault)), pytest.raises(error) as found:
            await cluster.list(PODS)
        assert bool(server.asked) == reached
        assert found.value.retry_after == (7 if "TooMany" in str(found.value) else None)


async def test_lists_that_say_something_else() -> None:
    def pods(change: kinds.ChangeList) -> Rule:
        return Rule(verb("list", resource="pods"), kinds.listed(change))

    server = ApiServer(lists=deque([([thing("a", 7), thing("b", 8), thing("c", 9)], 9)]))
    async with behind(server) as (proxy, cluster):
        with proxy.fault(pods(kinds.nothing)):
            assert await cluster.list(PODS) == ([], "9")
        with proxy.fault(pods(kinds.every_other)):
            assert [item["metadata"]["name"] for item in (await cluster.list(PODS))[0]] == ["a", "c"]
        crowd = kinds.crowded(100, lambda number: thing(f"other-{number}", 9))
        with proxy.fault(Rule(verb("list", resource="pods"), crowd)):
            assert len((await cluster.list(PODS))[0]) == 103
            pages = [page async for page in cluster.pages(PODS, size=40)]
        assert [len(items) for items, _ in pages] == [43, 40, 20]
        assert {version for _, version in pages} == {"9"}


async def test_watches_that_are_no_good() -> None:
    lines = [event("ADDED", {"kind": "Pod", "apiVersion": "v1", **thing("b", 10)})]

    def pods(fault: Fault) -> Rule:
        return Rule(verb("watch", resource="pods"), fault)

    async with behind(ApiServer(watches=deque([lines, [*lines], lines, [bookmark(6)]]))) as (proxy, cluster):
        with proxy.fault(pods(kinds.bookmarks_only)):
            ((kind, mark),) = await events_of(cluster)
            assert (kind, mark["metadata"]["resourceVersion"]) == ("BOOKMARK", "5")
        with proxy.fault(pods(kinds.garbled)), pytest.raises(UnavailableError):
            await events_of(cluster)
        with proxy.fault(pods(kinds.expired)):
            ((kind, status),) = await events_of(cluster)
            assert (kind, status["code"]) == ("ERROR", 410)


@pytest.mark.parametrize("fault", [kinds.breaks_after(0.1), kinds.ends_after(0.1)])
async def test_a_watch_that_ends_too_soon(fault: Fault) -> None:
    async with behind(ApiServer()) as (proxy, cluster):
        with proxy.fault(Rule(verb("watch"), fault)):
            assert await ending(cluster) in ("end", "broken")


async def ending(cluster: Cluster) -> str:
    """How a watch without events ends: silence would end it after a second, and read so."""
    try:
        return "events" if await events_of(cluster) else "end"
    except UnavailableError as error:
        return "silence" if "imeout" in str(error) else "broken"


@pytest.mark.parametrize(("committed", "reached"), [(False, 0), (True, 1)])
async def test_a_crash_comes_before_or_after_the_server_did_it(committed: bool, reached: int) -> None:
    died: list[int] = []
    server = ApiServer(lists=deque([([], 9)]))
    async with behind(server) as (proxy, cluster):
        fault = kinds.crash(lambda: died.append(len(server.asked)), committed=committed)
        with proxy.fault(Rule(verb("create"), fault, times=1)), pytest.raises(UnavailableError):
            await cluster.create_event({"metadata": {"name": "e", "namespace": "ward"}})
        assert died == [reached]
