"""What is engaged is taken down, proven and told, whatever else is broken."""

import pytest

from tests.cluster.guard.told import assert_down, engaged, switch, told_as
from tests.cluster.people import engage, release, resume
from tests.cluster.support import Admin, deployment
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster


def test_a_halt_is_carried_out_and_proven(bed: Testbed, admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    bed.stop("operator")
    try:
        engage(admin, namespace, "notes")
        told = engaged(admin, namespace, "notes")
    finally:
        bed.start_program("operator")

    assert_down(admin, namespace, "notes")
    assert (told["scope"], told["mode"], told["reason"]) == ("deployment", "halt", "wrong dose suggested")
    assert told["admittedAt"] <= told["verifiedAt"]
    assert told["engagedAt"] <= told["trafficCutAt"] <= told["lastPodGoneAt"] <= told["verifiedAt"]
    assert 0 < told["secondsToStop"] < 5
    assert "no answer from" in told["message"]

    release(admin, namespace, "notes")
    assert told_as(admin, namespace, "notes", "Released")["mode"] == "halt"
    resume(admin, namespace, "notes")
    told_as(admin, namespace, "notes", "Resumed")
    admin.wait_settled(namespace, "notes", "Ready")
    assert switch(admin, namespace, "notes")["state"] == "Resumed"
