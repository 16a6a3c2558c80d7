"""Answers of the API server, and of whoever stands before it, become one of six errors with one line."""

import asyncio
import json
from collections import deque
from typing import Any

import pytest

from meditron_operator.core.live import Ref
from meditron_operator.errors import (
    ApiError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
)
from meditron_operator.shell.cluster import CHILDREN, DEPLOYMENTS, PODS, Cluster, Resource
from tests.unit.apiserver import HOLD, Answer, ApiServer, connected
from tests.unit.kit import child, children

REF = Ref(kind="Service", namespace="clinical-ai", name="ward")
SAID = json.dumps({"kind": "Status", "message": "these very words"}).encode()


async def fail_with(answer: Answer) -> ApiError:
    async with connected(ApiServer(lists=deque([answer]))) as (cluster, _):
        with pytest.raises(ApiError) as caught:
            await cluster.get(REF)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RefusedError),
        (401, UnauthorizedError),
        (403, RefusedError),
        (404, NotFoundError),
        (405, RefusedError),
        (409, ConflictError),
        (410, NotFoundError),
        (413, RefusedError),
        (418, ApiError),
        (422, RefusedError),
        (429, UnavailableError),
        (500, UnavailableError),
        (502, UnavailableError),
        (503, UnavailableError),
        (504, UnavailableError),
    ],
)
async def test_status_becomes_an_error(status: int, kind: type[ApiError]) -> None:
    error = await fail_with(Answer(status, SAID))
    assert type(error) is kind
    assert "these very words" in str(error)


async def test_an_object_that_has_another_uid_is_a_conflict() -> None:
    """As Kubernetes 1.37 refuses the patch of a pod that was made anew meanwhile."""
    words = 'Pod "x" is invalid: metadata.uid: Invalid value: "b8a7": field is immutable'
    error = await fail_with(Answer(422, json.dumps({"kind": "Status", "message": words}).encode()))
    assert type(error) is ConflictError


@pytest.mark.parametrize(
    "words",
    [
        "denied request: failed to configure policy: failed to find resource referenced by paramKind: 'x'",
        "There can be a delay between when CustomResourceDefinitions are created and when they are available",
    ],
)
@pytest.mark.parametrize("status", [403, 404, 422])
async def test_a_server_that_has_just_started_is_asked_again(status: int, words: str) -> None:
    """Not a refusal, which is looked at again after a minute only."""
    assert type(await fail_with(Answer(status, json.dumps({"message": words}).encode()))) is UnavailableError


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "7", 7.0),
        (503, "0", 0.0),
        (503, "86400", 60.0),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (503, "-1", None),
        (503, "1.5", None),
        (429, None, None),
        (409, "7", None),
    ],
)
async def test_retry_after(status: int, header: str | None, seconds: float | None) -> None:
    """A proxy that asks for a day must not keep a stop from being carried out."""
    error = await fail_with(Answer(status, SAID, {"Retry-After": header} if header else {}))
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (SAID, "these very words"),
        (b"<html>\n<b>bad</b>\n</html>", "<html> <b>bad</b> </html>"),
        (b"", "Bad Gateway"),
        (b"[]", "[]"),
        (b"null", "null"),
        (b'"text"', '"text"'),
        (b"{}", "{}"),
        (b'{"message": null}', '{"message": null}'),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}"),
        (b"x" * 5000, "x" * 1000),
        (b'{"message": "two\\nlines"}', "two lines"),
    ],
)
async def test_any_body_is_one_line(body: bytes, words: str) -> None:
    error = await fail_with(Answer(502, body))
    assert words in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) <= 1000


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"1"])
async def test_a_success_that_is_no_object_is_no_success(body: bytes) -> None:
    assert type(await fail_with(Answer(200, body))) is UnavailableError


async def test_nobody_at_home() -> None:
    async with connected(ApiServer()) as (_, connection):
        nobody = Cluster(type(connection)(server="http://127.0.0.1:1", http=connection.http), 5)
        with pytest.raises(UnavailableError, match="GET /api/v1/namespaces/clinical-ai/services/ward: "):
            await nobody.get(REF)


async def test_a_silent_server_is_given_up() -> None:
    async with connected(ApiServer(watches=deque([[HOLD]])), patience=0.05) as (cluster, _):
        silent = Resource("Pod", "v1", "pods?watch=true")
        with pytest.raises(UnavailableError, match=r"TimeoutError|timeout"):
            async with asyncio.timeout(5):
                await cluster.list(silent, "")


async def test_an_event_that_was_posted_before_is_fine() -> None:
    server = ApiServer(lists=deque([Answer(409, SAID)]))
    async with connected(server) as (cluster, _):
        await cluster.create_event({"metadata": {"namespace": "ns", "name": "ward.1"}})
    assert server.asked[0]["path"] == "/api/v1/namespaces/ns/events"


async def test_writes_go_to_the_right_place() -> None:
    server = ApiServer(lists=deque([Answer(200, b"{}")]))
    service = child(children(), "Service")
    async with connected(server) as (cluster, _):
        await cluster.create(service)
        await cluster.replace(service)
        await cluster.delete(REF, uid="u", resource_version="1")
        await cluster.patch_status(Ref(kind=DEPLOYMENTS.kind, namespace="ns", name="ward"), "u", {})
    services = "/api/v1/namespaces/clinical-ai/services"
    status = "/apis/meditron.ai/v1alpha1/namespaces/ns/meditrondeployments/ward/status"
    managed = {"fieldManager": "meditron-operator"}
    assert server.asked == [
        {"method": "POST", "path": services, **managed},
        {"method": "PUT", "path": f"{services}/ward", **managed},
        {"method": "DELETE", "path": f"{services}/ward"},
        {"method": "PATCH", "path": status, **managed},
    ]


@pytest.mark.parametrize("item", [*CHILDREN.values(), PODS, DEPLOYMENTS], ids=lambda item: item.kind)
def test_paths(item: Resource) -> None:
    group = "/apis/" if "/" in item.api_version else "/api/"
    assert item.path() == f"{group}{item.api_version}/{item.plural}"
    assert item.path("ns", "x") == f"{group}{item.api_version}/namespaces/ns/{item.plural}/x"


def test_every_rendered_kind_has_a_place() -> None:
    rendered: list[dict[str, Any]] = children({"replicas": 2})
    assert {(item["kind"], item["apiVersion"]) for item in rendered} == {
        (item.kind, item.api_version) for item in CHILDREN.values()
    }
