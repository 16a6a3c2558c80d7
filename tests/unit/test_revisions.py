"""The template to go back to is read once, and only if it is the one that served."""

import json
from collections import deque

import pytest

from meditron_operator.core.compare import digest
from meditron_operator.core.rollout import Good
from meditron_operator.errors import UnavailableError
from meditron_operator.shell.revisions import Revisions
from tests.unit.apiserver import Answer, ApiServer, connected

KEY = ("clinical-ai", "ward")
TEMPLATE = {"metadata": {"labels": {"app": "ward"}}, "spec": {"containers": []}}
GOOD = Good(revision="ward-abc", template=digest(TEMPLATE))
KEPT = {"metadata": {}, "data": {"spec": {"template": {**TEMPLATE, "$patch": "replace"}}}}


def answer(status: int, body: object) -> Answer:
    return Answer(status, json.dumps(body).encode())


async def test_it_is_read_once() -> None:
    server = ApiServer(lists=deque([answer(200, KEPT)]))
    async with connected(server) as (cluster, _):
        revisions = Revisions(cluster)
        assert await revisions.template(KEY, GOOD) == TEMPLATE
        assert await revisions.template(KEY, GOOD) == TEMPLATE
        assert [asked["path"] for asked in server.asked] == [
            "/apis/apps/v1/namespaces/clinical-ai/controllerrevisions/ward-abc"
        ]
        revisions.forget(KEY)
        await revisions.template(KEY, GOOD)
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    "found", [answer(404, {"message": "not found"}), answer(200, {**KEPT, "data": {"spec": {"template": {"spec": 1}}}})]
)
async def test_one_that_is_gone_or_was_exchanged_is_none(found: Answer) -> None:
    async with connected(ApiServer(lists=deque([found]))) as (cluster, _):
        assert await Revisions(cluster).template(KEY, GOOD) is None


async def test_an_error_is_not_taken_for_gone() -> None:
    async with connected(ApiServer(lists=deque([answer(503, {"message": "later"})]))) as (cluster, _):
        with pytest.raises(UnavailableError):
            await Revisions(cluster).template(KEY, GOOD)
