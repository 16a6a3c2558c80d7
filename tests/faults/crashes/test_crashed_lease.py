"""Killed before and after it takes its lease, and before and after it gives it back. Renewals are a timer's."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from meditron_operator import names
from tests.cluster.support import Admin, deployment
from tests.faults.calls import verb, writes_in
from tests.faults.kinds import crash
from tests.faults.operators import Operator, Start
from tests.faults.proxy import FaultProxy, Rule
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

LEASE = ("Lease", NAMESPACE, names.OPERATOR_NAME)
DEATH_SECONDS = 20

both_sides = pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])


def spec_of(admin: Admin) -> dict[str, Any] | None:
    body = admin.get(*LEASE)
    return None if body is None else dict(body["spec"])


def holder(admin: Admin) -> str | None:
    """None where no lease is there; empty where somebody gave it back."""
    spec = spec_of(admin)
    return None if spec is None else spec.get("holderIdentity") or ""


def transitions(admin: Admin) -> int:
    return int((spec_of(admin) or {}).get("leaseTransitions", 0))


@pytest.fixture(autouse=True)
def no_lease(admin: Admin) -> None:
    if spec_of(admin) is not None:
        admin.delete(*LEASE)


@pytest.fixture
def one(start: Start) -> Iterator[Operator]:
    """An operator that has not been started."""
    operator = Operator(start)
    known = len(operator.crashes())
    yield operator
    operator.kill()
    assert operator.crashes()[known:] == []


def dies(proxy: FaultProxy, one: Operator, write: str, committed: bool, act: Callable[[], None]) -> None:
    """By its next write of that kind to the lease."""
    fault = crash(one.kill, committed=committed)
    with proxy.fault(Rule(verb(write, resource="leases"), fault, times=1)) as armed:
        act()
        wait_for("its death", lambda: armed.hits and not one.alive, DEATH_SECONDS)


def works_again(admin: Admin, one: Operator, ward: str) -> None:
    """Started anew it takes the lease, and does what it has to."""
    one.start()
    admin.wait(*LEASE, lambda body: bool(body and body["spec"].get("holderIdentity") == "operator"))
    admin.wait_settled(ward, "notes", "Idle")


@both_sides
@pytest.mark.parametrize(("write", "given_back"), [("create", False), ("update", True)], ids=["made", "taken"])
def test_killed_as_it_takes_the_lease(
    admin: Admin, proxy: FaultProxy, one: Operator, ward: str, write: str, given_back: bool, committed: bool
) -> None:
    if given_back:
        left = {"holderIdentity": "", "leaseDurationSeconds": 1, "leaseTransitions": 7}
        meta = {"name": names.OPERATOR_NAME, "namespace": NAMESPACE}
        admin.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": left})
    admin.create(deployment("notes", ward, replicas=0))
    known = len(proxy.calls)

    dies(proxy, one, write, committed, one.start)

    assert holder(admin) == ("operator" if committed else "" if given_back else None)
    assert not any(writes_in(ward)(call) for call in proxy.calls[known:])
    works_again(admin, one, ward)
    assert transitions(admin) == (8 if given_back else 0)


@both_sides
def test_killed_as_it_gives_the_lease_back(
    admin: Admin, proxy: FaultProxy, one: Operator, ward: str, committed: bool
) -> None:
    one.start()
    admin.create(deployment("notes", ward, replicas=0))
    admin.wait_settled(ward, "notes", "Idle")
    known = len(proxy.calls)
    wait_for("a renewal, so that the next one is not near", lambda: renewed(proxy, known), DEATH_SECONDS)

    dies(proxy, one, "update", committed, one.stop)

    assert holder(admin) == ("" if committed else "operator")
    works_again(admin, one, ward)
    assert transitions(admin) == (1 if committed else 0)


def renewed(proxy: FaultProxy, position: int) -> bool:
    return any(map(verb("update", resource="leases"), proxy.calls[position:]))
