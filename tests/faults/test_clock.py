"""The machine's clock is set to another time while the operator works: what there is stays, the lease too."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from meditron_operator import names
from tests.cluster.people import engage
from tests.cluster.support import Admin, deployment, touch
from tests.faults.holder import LEASE, wait_holder
from tests.faults.operators import Operator, Start, running
from tests.faults.proxy import FaultProxy
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
JUMPS: Final = (HOUR, -HOUR, DAY, -DAY)
"""One after the other, each from where the one before led to: from a day ahead to a day behind, too."""
GRACE_SECONDS: Final = 3
RENEWALS_PER_SECOND: Final = 0.5


def lease(admin: Admin) -> dict[str, Any]:
    body = admin.get(*LEASE)
    assert body is not None
    spec: dict[str, Any] = body["spec"]
    return spec


def test_a_jump_writes_nothing_and_loses_nothing(
    admin: Admin, proxy: FaultProxy, operator: Operator, ward: str
) -> None:
    wait_holder(admin, "operator")
    admin.create(deployment("serving", ward))
    admin.create(deployment("idle", ward, replicas=0))
    admin.wait_settled(ward, "serving", "Ready")
    admin.wait_settled(ward, "idle", "Idle")
    before = lease(admin)

    for number, jump in enumerate(JUMPS):
        known, begin = len(proxy.calls), time.monotonic()
        operator.set_clock(jump)
        for name in ("serving", "idle"):
            touch(admin, ward, name)
        admin.create(deployment(f"later-{number}", ward, replicas=0))
        admin.wait_settled(ward, f"later-{number}", "Idle")

        calls, took = proxy.calls[known:], time.monotonic() - begin
        written = [call for call in calls if call.writes and call.namespace == ward and "later" not in call.name]
        renewals = [call for call in calls if call.writes and call.resource == "leases"]
        assert written == [], f"after a jump of {jump} s"
        assert len(renewals) <= took * RENEWALS_PER_SECOND + 2

    after = lease(admin)
    assert (after["holderIdentity"], after["leaseTransitions"]) == ("operator", before["leaseTransitions"])


def test_who_lives_in_another_time_steals_no_lease(
    bed: Testbed, admin: Admin, start: Start, rights: Path, operator: Operator
) -> None:
    wait_holder(admin, "operator")
    before = lease(admin)
    with FaultProxy.in_front_of(bed.kubeconfig) as beside:
        other = replace(start, kubeconfig=beside.kubeconfig(rights), identity="a-day-ahead")
        with running(other, clock=DAY) as late:

            def looks() -> bool:
                return sum(call.verb == "get" and call.resource == "leases" for call in beside.calls) >= 3

            wait_for("it to look at the lease three times", looks, 30)
            assert [call for call in beside.calls if call.writes] == []
            assert late.alive
    after = lease(admin)
    assert (after["holderIdentity"], after["leaseTransitions"]) == ("operator", before["leaseTransitions"])
    assert operator.alive


def test_a_drain_ends_although_the_clock_is_set_back(admin: Admin, operator: Operator, ward: str) -> None:
    """Nobody waits for an hour: from the jump on it takes no longer than the grace."""
    admin.create(deployment("notes", ward, shutdown={"graceSeconds": GRACE_SECONDS}))
    admin.wait_settled(ward, "notes", "Ready")

    engage(admin, ward, "notes", "drain")
    admin.wait(names.KIND, ward, "notes", lambda body: bool(body and "drainsUntil" in body["status"]))
    operator.set_clock(-HOUR)
    touch(admin, ward, "notes")

    def is_cut(body: dict[str, Any] | None) -> bool:
        return bool(body and body["spec"]["replicas"] == 0)

    admin.wait("StatefulSet", ward, "notes", is_cut, 2 * GRACE_SECONDS + 10)
