"""The guard's process, killed with -9 around each of its writes and started again: the same end as of a clean run."""

import os
import signal
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from meditron_operator.core.killswitch.records import Record, verify
from tests.cluster.guard.behind import account, guard_by_way_of
from tests.cluster.guard.told import is_down, switch, without
from tests.cluster.people import engage
from tests.cluster.support import Admin, deployment
from tests.faults.calls import Call, writes_in
from tests.faults.kinds import crash
from tests.faults.proxy import FaultProxy, Rule
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

CLEAN = "clean"
MOST_WRITES = 10
NEEDED = (
    "patch pods/status",  # the gate
    "delete networkpolicies",
    "patch statefulsets/scale",
    "delete pods",
    "patch meditrondeployments/status",
    "create killrecords",
    "patch killrecords/status",
)
OF_A_MOMENT = frozenset({"admittedAt", "engagedAt", "trafficCutAt", "lastPodGoneAt", "verifiedAt", "secondsToStop"})


@pytest.fixture
def proxy(bed: Testbed) -> Iterator[FaultProxy]:
    with FaultProxy.in_front_of(account(bed)) as proxy:
        yield proxy


def kind_of(call: Call) -> str:
    return f"{call.verb} {call.resource}"


def end_of(admin: Admin, namespace: str, name: str) -> dict[str, Any] | None:
    """What is left and told of a stop, without its times; None while it or its record is not concluded."""
    told = switch(admin, namespace, name)
    records = [each for each in admin.list("KillRecord", namespace) if each["spec"]["target"] == name]
    if told.get("state") != "Engaged" or "record" not in told or not all("hash" in _status(each) for each in records):
        return None
    words = {key: value for key, value in told.items() if key not in OF_A_MOMENT and key not in ("record", "message")}
    return {
        "down": is_down(admin, namespace, name),
        "told": words,
        "records": [(each["spec"]["action"], _status(each)["state"]) for each in records],
        "named": told["record"] in [each["metadata"]["name"] for each in records],
    }


def _status(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return record.get("status") or {}


@pytest.mark.guarantee("G3", "G5", "G8")
def test_killed_around_each_of_its_writes(bed: Testbed, admin: Admin, namespace: str, proxy: FaultProxy) -> None:
    """Before the first of them, and after each: done, and nobody told the guard so."""
    names = [CLEAN, *(f"cut-{place}" for place in range(MOST_WRITES + 1))]
    for name in names:
        admin.create(deployment(name, namespace, **_card(len(names), names.index(name))))
    for name in names:
        admin.wait_settled(namespace, name, "Ready", 60)
    way: Path = proxy.kubeconfig(account(bed))
    with without(bed, "operator", "guard"), guard_by_way_of(bed, way, "guard-to-kill") as guard:
        engage(admin, namespace, CLEAN)
        clean = wait_for("a clean end", lambda: end_of(admin, namespace, CLEAN), 30)
        written = [kind_of(call) for call in proxy.calls if writes_in(namespace)(call)]
        assert set(written) == set(NEEDED)
        assert len(written) <= MOST_WRITES
        points = [(1, False), *((number, True) for number in range(1, len(written) + 1))]
        survived = 0
        for name, (number, committed) in zip(names[1:], points, strict=False):
            died = kill_at(bed, admin, proxy, guard, (namespace, name), number, committed)
            survived += not died
            ended = wait_for(f"the end of {name}", partial(end_of, admin, namespace, name), 30)
            assert ended == clean, f"killed at write {number}, committed: {committed}"
    print(f"\nkilled at {len(points) - survived} of {len(points)} points; a clean run: {', '.join(written)}")
    assert survived <= len(written) - len(NEEDED)
    found = sorted(admin.list("KillRecord", namespace), key=lambda each: int(each["spec"]["sequence"]))
    assert [each for each in verify(map(Record.of, found)) if each.broken] == []


def kill_at(
    bed: Testbed, admin: Admin, proxy: FaultProxy, guard: str, target: tuple[str, str], number: int, committed: bool
) -> bool:
    """Engage, and kill the guard at its n-th write; False when it needed fewer. Then it runs again."""
    pid, (namespace, name) = bed.status()[guard].pid, target
    assert pid is not None
    fault = crash(lambda: os.kill(pid, signal.SIGKILL), committed=committed)
    with proxy.fault(Rule(writes_in(namespace), fault, every=number, times=1)) as armed:
        engage(admin, namespace, name)
        wait_for("its death, or its end", lambda: armed.hits or end_of(admin, namespace, name), 30)
        if not armed.hits:
            return False
        wait_for("the process to be gone", lambda: not bed.status()[guard].running, 10)
    bed.start_program(guard)
    return True


def _card(count: int, place: int) -> dict[str, Any]:
    """Eight fit on the node with the large cards, four on those with the small ones."""
    assert count <= 12
    return {"gpu": {"type": "A100-80GB" if place < 8 else "L4"}}
