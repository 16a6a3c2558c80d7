"""Deployments that nothing can be written for: they come back ever more seldom, and slow nobody down."""

import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import pytest
from aiohttp import web

from meditron_operator import names
from tests.cluster.support import Admin, create_all, deployment
from tests.faults import kinds
from tests.faults.calls import Call, Where
from tests.faults.operators import Operator
from tests.faults.proxy import Exchange, Fault, FaultProxy, Rule
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

GOOD: Final = 16
POISONED: Final = ("invalid", "broken", "hung")
SLOWER_LIMIT: Final = 2.0
"""As many times as without the poisoned ones."""
SAME_TRY_SECONDS: Final = 0.4
"""The writes of one try follow each other within a moment; the first tries of what fails with 500 do, too."""
LONG_SECONDS: Final = 1.6
"""The third of those pauses, at least: 2 s of a refusal, 1.6 s of an error."""
LATE_SECONDS: Final = 1.0
"""By which a loaded machine may shift a try."""
PAUSES: Final = 3
ROUNDS: Final = 2
PATIENCE_SECONDS: Final = 40.0


def about(name: str) -> Where:
    """Every write that names it, a child of it, or an Event about it."""
    return lambda call: call.writes and (call.name == name or call.name.startswith((f"{name}-", f"{name}.")))


def noted(fault: Fault, moments: list[float]) -> Fault:
    """It writes down when it was hit."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        moments.append(time.monotonic())
        return await fault(exchange)

    return act


def pauses(moments: Iterable[float]) -> list[float]:
    """Seconds between the end of a try and the begin of the next, to a tenth; those within a try are left out."""
    gaps = (later - earlier for earlier, later in pairwise(moments))
    return [round(gap, 1) for gap in gaps if gap > SAME_TRY_SECONDS]


def seconds_for_all(admin: Admin, ward: str, word: str) -> float:
    """How long until a number of new deployments are as they should be."""
    every, begin = [f"{word}-{number}" for number in range(GOOD)], time.monotonic()
    create_all(admin, (deployment(name, ward, replicas=0) for name in every))
    for name in every:
        admin.wait_settled(ward, name, "Idle", PATIENCE_SECONDS)
    return round(time.monotonic() - begin, 2)


def take_away(admin: Admin, ward: str) -> None:
    for name in POISONED:
        admin.delete(names.KIND, ward, name)
        admin.wait_gone(names.KIND, ward, name)


def test_the_others_are_as_fast_as_without_them(admin: Admin, proxy: FaultProxy, operator: Operator, ward: str) -> None:
    """The best of some rounds each, in turns: noise only adds."""
    clean, beside = [], []
    seconds_for_all(admin, ward, "warm-up")
    with proxy.fault(
        Rule(about("invalid"), kinds.answer(422, "Invalid")),
        Rule(about("broken"), kinds.answer(500, "InternalError")),
        Rule(about("hung"), kinds.hang),
    ):
        for number in range(ROUNDS):
            clean.append(seconds_for_all(admin, ward, f"clean-{number}"))
            create_all(admin, (deployment(name, ward, replicas=0) for name in POISONED))
            beside.append(seconds_for_all(admin, ward, f"beside-{number}"))
            if number < ROUNDS - 1:
                take_away(admin, ward)
    print(f"\n{GOOD} deployments: alone {clean} s, beside three poisoned ones {beside} s")

    assert min(beside) <= SLOWER_LIMIT * min(clean)
    for name in POISONED:
        admin.wait_settled(ward, name, "Idle", 60)
    assert operator.alive


@pytest.mark.usefixtures("operator")
def test_it_is_tried_ever_more_seldom(admin: Admin, proxy: FaultProxy, ward: str) -> None:
    moments: dict[str, list[float]] = {"invalid": [], "broken": []}
    with proxy.fault(
        Rule(about("invalid"), noted(kinds.answer(422, "Invalid"), moments["invalid"])),
        Rule(about("broken"), noted(kinds.answer(500, "InternalError"), moments["broken"])),
    ):
        create_all(admin, (deployment(name, ward, replicas=0) for name in moments))
        wait_for("some tries", lambda: min(len(pauses(each)) for each in moments.values()) >= PAUSES, PATIENCE_SECONDS)
    waited = {name: pauses(each) for name, each in moments.items()}
    print(f"\nseconds between tries: {waited}")

    for each in waited.values():
        assert all(later >= earlier - LATE_SECONDS for earlier, later in pairwise(each))
        assert each[PAUSES - 1] >= LONG_SECONDS
    for name in moments:
        admin.wait_settled(ward, name, "Idle", 60)


def test_what_counts_as_a_write_about_a_deployment() -> None:
    where = about("broken")
    for name, hit in (("broken", True), ("broken-pods", True), ("broken.17f", True), ("brokenly", False)):
        assert where(Call("create", "services", "ward", name)) is hit
    assert not where(Call("get", "services", "ward", "broken"))
