"""Network policies on the node with Cilium, seen by pods that connect over and over."""

import time

import pytest

from tests.cluster.support import Admin, create_all
from tests.node.pods import Attempt, allow, deny_all, pod, server, service, wait_attempts, wait_ready
from tests.node.timings import measured, note
from tests.testbed import Testbed

pytestmark = pytest.mark.node

CUT_SECONDS = 1.0
UNREADY_SECONDS = 5.0
WATCH_SECONDS = 2.0
"""How long nothing may get through after that."""


@pytest.fixture
def bed(cilium_bed: Testbed) -> Testbed:
    return cilium_bed


def started_after(moment: float, seen: list[Attempt]) -> list[Attempt]:
    return [each for each in seen if each.began > moment]


def ready_since(admin: Admin, ward: str) -> str:
    """When the server became Ready for the last time, which it is now."""
    conditions = wait_ready(admin, ward, "server")["status"]["conditions"]
    return next(str(each["lastTransitionTime"]) for each in conditions if each["type"] == "Ready")


@pytest.fixture
def address(admin: Admin, ward: str, probe: str) -> str:
    """A server's, with a client beside it that is never allowed and one that may be."""
    admin.create(server(ward, probe))
    address: str = admin.create(service(ward))["spec"]["clusterIP"]
    wait_ready(admin, ward, "server")
    for name in ("named", "stranger"):
        admin.create(pod(ward, name, probe, "ask", address, "80", "60"))
    for name in ("named", "stranger"):
        wait_attempts(admin, ward, name, "an answer", lambda seen: any(each.answered for each in seen))
    return address


def test_policies_are_enforced(admin: Admin, ward: str, address: str) -> None:
    admin.create(deny_all(ward))
    for name in ("named", "stranger"):
        wait_attempts(admin, ward, name, "a refusal", lambda seen: not seen[-1].answered)
    denied = time.time()

    admin.create(allow(ward, "named"))
    wait_attempts(admin, ward, "named", "an answer", lambda seen: seen[-1].answered)

    cut = time.time()
    admin.delete("NetworkPolicy", ward, "allow")
    seen = wait_attempts(
        admin, ward, "named", "the time after the cut", lambda seen: seen[-1].began > cut + CUT_SECONDS + WATCH_SECONDS
    )
    answered = [each.began - cut for each in started_after(cut, seen) if each.answered]
    note("from the end of an allow-policy to the last new connection", max(answered, default=0))
    assert max(answered, default=0) < CUT_SECONDS
    stranger = wait_attempts(admin, ward, "stranger", "the same time", lambda seen: seen[-1].began > cut)
    assert not any(each.answered for each in started_after(denied, stranger))


def test_probes_pass_where_nobody_else_does(admin: Admin, ward: str, address: str) -> None:
    since = ready_since(admin, ward)
    admin.create(deny_all(ward))
    wait_attempts(admin, ward, "named", "a refusal", lambda seen: not seen[-1].answered)
    denied = time.time()
    # Long enough for as many missed probes as take a pod out of its Service.
    wait_attempts(admin, ward, "named", "time to pass", lambda seen: seen[-1].began > denied + UNREADY_SECONDS)
    assert ready_since(admin, ward) == since


def test_policies_hold_while_the_agent_is_away_and_after(bed: Testbed, admin: Admin, ward: str, address: str) -> None:
    create_all(admin, [deny_all(ward), allow(ward, "named")])
    wait_attempts(admin, ward, "stranger", "a refusal", lambda seen: not seen[-1].answered)
    denied = time.time()
    wait_attempts(admin, ward, "named", "an answer", lambda seen: seen[-1].answered and seen[-1].began > denied)
    bed.kill("cilium-agent")
    away = time.time()
    wait_attempts(admin, ward, "named", "an answer", lambda seen: seen[-1].answered and seen[-1].began > away)
    with measured("from Cilium's start to its having its pods again"):
        bed.start_program("cilium-agent")
    back = time.time()
    wait_attempts(admin, ward, "named", "an answer", lambda seen: seen[-1].answered and seen[-1].began > back)
    stranger = wait_attempts(admin, ward, "stranger", "the same time", lambda seen: seen[-1].began > back)
    assert not any(each.answered for each in started_after(denied, stranger))
