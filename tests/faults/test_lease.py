"""Two operators, one lease: one works, and the other waits and says so."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from meditron_operator import names
from meditron_operator.core.lease import HOLD_SECONDS
from tests.cluster.support import Admin, deployment
from tests.faults import kinds
from tests.faults.calls import Call
from tests.faults.holder import LEASE, ask, wait_holder
from tests.faults.operators import Operator, Start, running
from tests.faults.proxy import FaultProxy, Rule
from tests.testbed import Testbed
from tests.testbed.layout import Layout, Ports
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster


def writes_in(proxy: FaultProxy, namespace: str) -> list[Call]:
    return [call for call in proxy.calls if call.writes and call.namespace == namespace]


def give_to(admin: Admin, identity: str, seconds: int) -> None:
    """As if this one had just taken it, for so long."""
    admin.edit(*LEASE, lambda body: body["spec"].update(holderIdentity=identity, leaseDurationSeconds=seconds))


@pytest.fixture
def free(admin: Admin) -> None:
    """No lease from a test before this one."""
    if admin.get(*LEASE) is not None:
        admin.delete(*LEASE)


@pytest.mark.usefixtures("free")
def test_the_second_one_waits_and_says_so_until_the_first_one_ends(
    bed: Testbed, admin: Admin, proxy: FaultProxy, start: Start, rights: Path, ward: str
) -> None:
    ports = Ports.load(Layout(bed.directory))
    first = replace(start, identity="first", health_port=ports.operator)
    with FaultProxy.in_front_of(bed.kubeconfig) as beside, running(first) as one:
        wait_holder(admin, "first")
        second = replace(first, kubeconfig=beside.kubeconfig(rights), identity="second", health_port=ports.guard)
        with running(second) as two:
            wait_for("the second one to see everything", lambda: ask(ports.guard, "/readyz")[0] == 503, 20)
            wait_for("it to say why it waits", lambda: "held by first" in ask(ports.guard, "/readyz")[1], 20)
            admin.create(deployment("notes", ward, replicas=0))
            admin.wait_settled(ward, "notes", "Idle")
            assert ask(ports.operator, "/readyz") == (200, '{"synced": true}')
            assert ask(ports.guard, "/readyz") == (503, '{"synced": true, "waitsForLease": "held by first"}')
            assert "lease_held 1.0" in ask(ports.operator, "/metrics")[1]
            assert "lease_held 0.0" in ask(ports.guard, "/metrics")[1]
            assert ask(ports.guard, "/healthz")[0] == 200
            assert [call for call in beside.calls if call.writes] == []

            one.stop()  # it gives the lease back

            wait_holder(admin, "second", 5)
            known = len(proxy.calls)
            admin.patch(names.KIND, ward, "notes", {"spec": {"replicas": 1}})
            admin.wait_settled(ward, "notes", "Ready")
            assert writes_in(beside, ward)
            assert proxy.calls[known:] == []
            assert ask(ports.guard, "/readyz")[0] == 200
            assert two.crashes() == []


@pytest.mark.usefixtures("free")
def test_whoever_loses_it_writes_nothing_until_it_is_free_again(
    admin: Admin, proxy: FaultProxy, operator: Operator, ward: str
) -> None:
    admin.create(deployment("before", ward, replicas=0))
    admin.wait_settled(ward, "before", "Idle")

    give_to(admin, "another", 6)

    taken = admin.get(*LEASE)
    wait_for("the operator to look who has it", lambda: Call("get", "leases", *LEASE[1:]) in proxy.calls[-3:], 10)
    known = len(proxy.calls)
    admin.create(deployment("notes", ward, replicas=0))
    admin.wait_settled(ward, "notes", "Idle")
    again = admin.get(*LEASE)
    assert taken is not None
    assert again is not None
    assert again["spec"]["holderIdentity"] == "operator"
    assert again["spec"]["leaseTransitions"] == taken["spec"].get("leaseTransitions", 0) + 1
    first_write = next(call for call in proxy.calls[known:] if call.writes)
    assert first_write == Call("update", "leases", *LEASE[1:])  # nothing before it had the lease again
    assert operator.alive


@pytest.mark.usefixtures("free", "operator")
def test_whoever_cannot_renew_it_stops_before_others_may_take_it(admin: Admin, proxy: FaultProxy, ward: str) -> None:
    wait_holder(admin, "operator")

    with proxy.fault(Rule(lambda call: call.resource == "leases", kinds.answer(503, "ServiceUnavailable"))):
        began = time.monotonic()
        number = 0
        while time.monotonic() < began + HOLD_SECONDS + 2:
            admin.create(deployment(f"notes-{number}", ward, replicas=0))
            number += 1
            time.sleep(0.5)
        known = len(proxy.calls)
        admin.create(deployment("late", ward, replicas=0))
        assert admin.get("Service", ward, "notes-0") is not None  # it was its own for some seconds
        with pytest.raises(AssertionError, match=r"Service .*/late after 3 s"):
            admin.wait("Service", ward, "late", lambda body: body is not None, 3)
        assert [call for call in proxy.calls[known:] if call.writes and call.namespace == ward] == []

    admin.wait_settled(ward, "late", "Idle")
