"""The logs are read once for each start, by the side, and nothing of them is kept but a number."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from meditron_operator.core.engines.tgi import launch
from meditron_operator.core.measured import Reading
from meditron_operator.core.observed import Pod
from meditron_operator.shell import cluster as api
from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.meter import Meter
from meditron_operator.shell.store import ObjectKey
from tests.testbed import enginelogs
from tests.unit.apiserver import DROP, HOLD, Answer, ApiServer, connected
from tests.unit.eventually import eventually
from tests.unit.kit import accepted, pod

KEY: ObjectKey = ("clinical-ai", "ward")
LAUNCH = launch(accepted().sized)
PROMPT = "2026-01-01T00:00:02Z  INFO text_generation_router_v3: Ada says: Setting max batch total tokens to 1"
Script = Answer | Iterable[bytes | str]


def log(tokens: int | None, *more: bytes | str) -> list[bytes | str]:
    """As the API server sends it: without the container runtime's own columns."""
    lines = (line.split(" stdout F ", 1)[1] for line in enginelogs.container_log(tokens).splitlines())
    return ["\n".join(lines).encode() + b"\n", *more]


@dataclass
class Measuring:
    server: ApiServer
    meter: Meter
    woken: list[ObjectKey]

    async def want(self, *pods: Pod, known: tuple[Reading, ...] = ()) -> None:
        await self.meter.want(KEY, pods, known, LAUNCH)

    @property
    def tokens(self) -> list[int | None]:
        return [reading.kv_capacity_tokens for reading in self.meter.found(KEY)]


@asynccontextmanager
async def measuring(*logs: Script, patience: float = 5.0) -> AsyncIterator[Measuring]:
    server, woken = ApiServer(logs=deque(logs)), list[ObjectKey]()
    clock = asyncio.get_running_loop().time
    async with connected(server, patience=patience) as (cluster, _):
        meter = Meter(cluster, woken.append, Chance(clock=clock, random=lambda: 0.0))
        running = asyncio.create_task(meter.run())
        try:
            yield Measuring(server, meter, woken)
        finally:
            running.cancel()


async def test_the_figure_is_read_and_the_deployment_woken() -> None:
    async with measuring(log(8_050, PROMPT.encode(), HOLD)) as here:
        await here.want(pod())
        await eventually(lambda: here.woken)
        assert here.meter.found(KEY) == (
            Reading(pod="ward-0", uid="uid-of-ward-0", restarts=0, kv_capacity_tokens=8_050),
        )
        assert here.woken == [KEY]
        (asked,) = here.server.asked
        assert asked == {
            "method": "GET",
            "path": "/api/v1/namespaces/clinical-ai/pods/ward-0/log",
            "container": "tgi",
            "limitBytes": "1048576",
        }


async def test_each_start_is_read_once() -> None:
    async with measuring(log(8_050)) as here:
        await here.want(pod())
        await eventually(lambda: here.woken)
        for _ in range(3):
            await here.want(pod(), known=here.meter.found(KEY))
        restarted = replace(pod(), restarts=1)
        await here.want(restarted, known=here.meter.found(KEY))
        await eventually(lambda: len(here.woken) == 2)
        assert len(here.server.asked) == 2
        assert [reading.restarts for reading in here.meter.found(KEY)] == [1]


async def test_what_was_found_while_a_pass_was_under_way_is_not_read_again() -> None:
    async with measuring(log(8_050)) as here:
        await here.want(pod())
        await eventually(lambda: here.woken)
        await here.want(pod(), known=())  # the pass had looked before
        await asyncio.sleep(0.1)
        assert len(here.server.asked) == 1


@pytest.mark.parametrize("quiet", [pod(status={"conditions": []}), pod(metadata={"deletionTimestamp": "t"})])
async def test_what_does_not_serve_is_left_alone(quiet: Pod) -> None:
    async with measuring(log(8_050)) as here:
        await here.want(quiet, replace(pod("ward-1"), uid="other"))
        await eventually(lambda: here.woken)
        assert [asked["path"].split("/")[-2] for asked in here.server.asked] == ["ward-1"]


@pytest.mark.parametrize(
    "script",
    [
        log(None),
        [],
        [b"no line end: Setting max batch total tokens to 80"],
        [b"\xff\xfe\x00 not text\n"],
        [(PROMPT + "\n").encode()],
    ],
    ids=["lost", "empty", "cut off", "bytes", "prompt"],
)
async def test_a_log_without_a_figure_is_known_as_such(script: Script) -> None:
    async with measuring(script) as here:
        await here.want(pod())
        await eventually(lambda: here.woken)
        assert here.tokens == [None]


async def test_a_figure_that_was_cut_off_is_none() -> None:
    (whole,) = log(8_050)
    assert isinstance(whole, bytes)
    cut = whole[: whole.index(b"tokens to 8050") + len(b"tokens to 80")]
    async with measuring([cut]) as here:
        await here.want(pod())
        await eventually(lambda: here.woken)
        assert here.tokens == [None]


async def test_no_more_is_read_than_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LOG_HEAD_BYTES", 10_000)
    noise = b"x" * 999 + b"\n"
    async with measuring([noise * 20, *log(8_050)]) as here:
        await here.want(pod())
        await eventually(lambda: here.woken)
        assert here.tokens == [None]


FAILURES: list[Script] = [
    Answer(403, b'{"message": "no right to read logs"}'),
    Answer(404, b'{"message": "pods ward-0 not found"}'),
    Answer(500, b'{"message": "Get https://node:10250: dial tcp: connection refused"}'),
    Answer(400, b'{"message": "container is waiting to start"}'),
    [b"half a line", DROP],
]


@pytest.mark.parametrize("failure", FAILURES, ids=["403", "404", "500", "400", "dropped"])
async def test_what_can_heal_is_tried_again(failure: Script) -> None:
    async with measuring(failure, failure, log(8_050)) as here:
        await here.want(pod())
        for _ in range(20):
            await here.want(pod())  # passes in between don't hurry it
        await eventually(lambda: here.woken)
        assert here.tokens == [8_050]
        assert len(here.server.asked) == 3


async def test_a_pod_that_is_gone_is_given_up() -> None:
    async with measuring(Answer(404)) as here:
        await here.want(pod())
        await eventually(lambda: here.server.asked)
        await here.want()
        asked = len(here.server.asked)
        await asyncio.sleep(0.5)
        assert len(here.server.asked) <= asked + 1
        assert here.woken == []


async def test_a_pod_that_ends_while_it_is_read_leaves_nothing() -> None:
    async with measuring([b"begin\n", HOLD]) as here:
        await here.want(pod())
        await eventually(lambda: here.server.asked)
        here.meter.forget(KEY)
        here.server.finish.set()
        await asyncio.sleep(0.1)
        assert (here.woken, here.meter.found(KEY)) == ([], ())


async def test_a_slow_kubelet_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LOG_SECONDS", 0.2)
    async with measuring([HOLD], log(8_050), log(8_050)) as here:
        first, second = pod(), replace(pod("ward-1"), uid="other")
        await here.want(first, second)
        await eventually(lambda: len(here.woken) == 2)  # the first one after its time-out, by another try
        assert here.tokens == [8_050, 8_050]


async def test_no_line_of_a_log_is_logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    secret = b"the patient is called Ada"
    with caplog.at_level(logging.DEBUG):
        async with measuring([secret + b"\n" + secret, DROP], log(None, secret)) as here:
            await here.want(pod())
            await eventually(lambda: here.woken)
    assert "Ada" not in caplog.text + "".join(capsys.readouterr())
