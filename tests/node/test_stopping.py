"""How an engine's pod ends: streams may finish, a stuck one is killed, and a stop does not wait for either."""

import time

import pytest

from meditron_operator.core.guard.actions import not_ready
from tests.cluster.people import engage
from tests.cluster.support import Admin, Audit, Manifest
from tests.node.conftest import Ground
from tests.node.engine import (
    QUICK,
    address_of,
    heard,
    inject,
    now,
    reader,
    served,
    wait_available,
    wait_end,
    wait_tokens,
)
from tests.node.timings import note
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.node

LONG = {**QUICK, "DOUBLE_ANSWER_TOKENS": "2000"}
MARGIN_SECONDS = 15
"""What a pod has beyond the engine's own limit."""
CUT_SECONDS = 2.0
"""After a kill, until no new conversation begins: where no policy is enforced, kube-proxy must have taken the address
of the Service away, and it does so once a second."""


def test_streams_finish_before_the_pod_does(
    bed: Testbed, admin: Admin, ground: Ground, clinic: str, probe: str
) -> None:
    """With the probes as they are rendered: a draining engine answers none, and once the pod counts as not ready Cilium
    forgets where the connections of its Service lead."""
    env = {"DOUBLE_ANSWER_TOKENS": "2000"}
    admin.create(served("notes", clinic, ground.engine_image, env=env, shutdown={"graceSeconds": 30}))
    wait_available(admin, clinic, "notes")
    before = admin.get("Pod", clinic, "notes-0")
    admin.create(reader(clinic, "named", probe, address_of(admin, clinic, "notes"), tokens=300))
    wait_tokens(admin, clinic, "named", 20)

    began = time.monotonic()
    admin.delete("Pod", clinic, "notes-0")

    got = wait_end(admin, clinic, "named")
    assert got.ended == "complete"
    assert len(got.tokens) == 300
    wait_replaced(admin, clinic, before)
    seconds = time.monotonic() - began
    note("from a pod's deletion to its end, with a stream of 6 s to finish", seconds)
    assert seconds < 30


def test_a_drain_that_is_stuck_ends_with_the_grace(bed: Testbed, admin: Admin, ground: Ground, clinic: str) -> None:
    admin.create(served("notes", clinic, ground.engine_image, env=QUICK, shutdown={"graceSeconds": 1}))
    wait_available(admin, clinic, "notes")
    before = admin.get("Pod", clinic, "notes-0")
    inject(bed, admin, clinic, "notes-0", ignore_sigterm=True)

    began = time.monotonic()
    admin.delete("Pod", clinic, "notes-0")
    wait_replaced(admin, clinic, before)

    seconds = time.monotonic() - began
    note("from a pod's deletion to its end, with an engine that ignores SIGTERM and a grace of 16 s", seconds)
    assert 1 + MARGIN_SECONDS - 1 < seconds < 1 + MARGIN_SECONDS + 8


def wait_replaced(admin: Admin, space: str, before: Manifest | None) -> None:
    assert before is not None
    uid = before["metadata"]["uid"]
    admin.wait("Pod", space, "notes-0", lambda body: body is None or body["metadata"]["uid"] != uid, 60)


@pytest.mark.guarantee("G1")
def test_a_stop_cuts_the_stream(bed: Testbed, admin: Admin, ground: Ground, clinic: str, probe: str) -> None:
    admin.create(served("notes", clinic, ground.engine_image, env=LONG, shutdown={"graceSeconds": 3}))
    wait_available(admin, clinic, "notes")
    address = address_of(admin, clinic, "notes")
    admin.create(reader(clinic, "named", probe, address, tokens=1500))
    wait_tokens(admin, clinic, "named", 20)
    audit, mark = Audit(bed.audit_log), Audit(bed.audit_log).mark()

    moment = now()
    engage(admin, clinic, "notes")
    come_late(admin, clinic, probe, address, moment)

    got = wait_end(admin, clinic, "named")
    seconds = got.tokens[-1]["at"] - moment
    enforced = enforces(bed)
    how = "Cilium, which drops the packets" if enforced else "the bridge plugin: the engine's own drain of 3 s ends it"
    note(f"from the kill annotation to the last token at the client, with {how}", seconds)
    assert got.ended != "complete"
    assert seconds < (CUT_SECONDS if enforced else 3 + CUT_SECONDS)
    admin.wait_phase(clinic, "notes", "Stopped", 60)
    assert not heard(admin, clinic, "late").tokens
    writes = [(each.resource, each.verb) for each in audit.writes(mark, clinic) if each.resource != "events"]
    assert writes[:2] == [("pods/status", "patch"), ("networkpolicies", "delete")]


def enforces(bed: Testbed) -> bool:
    """Whether Cilium does. It balances the Service's connections too, and ends them once the pod is not ready."""
    return bool(bed.node and bed.node.enforces_policies)


def come_late(admin: Admin, clinic: str, probe: str, address: str, moment: float) -> None:
    """A client whose first try comes when no new conversation may begin any more."""
    wait_for("the end of the time that new conversations have", lambda: now() >= moment + CUT_SECONDS, 10)
    admin.create(reader(clinic, "late", probe, address))


def uid_of_pod(admin: Admin, clinic: str) -> str | None:
    body = admin.get("Pod", clinic, "notes-0")
    return body["metadata"]["uid"] if body else None


@pytest.mark.guarantee("G11")
def test_a_hold_lets_answers_finish_and_nobody_new_in(
    bed: Testbed, admin: Admin, ground: Ground, clinic: str, probe: str
) -> None:
    admin.create(served("notes", clinic, ground.engine_image, env=LONG, shutdown={"graceSeconds": 3}))
    wait_available(admin, clinic, "notes")
    address, before = address_of(admin, clinic, "notes"), uid_of_pod(admin, clinic)
    admin.create(reader(clinic, "named", probe, address, tokens=400))
    wait_tokens(admin, clinic, "named", 20)

    moment = now()
    engage(admin, clinic, "notes", "hold")
    come_late(admin, clinic, probe, address, moment)

    got = wait_end(admin, clinic, "named")
    how = "Cilium" if enforces(bed) else "the bridge plugin and kube-proxy"
    note(f"from a hold to the last token of the open stream, with {how} ({got.ended})", got.tokens[-1]["at"] - moment)
    if not enforces(bed):
        assert (got.ended, len(got.tokens)) == ("complete", 400)
    admin.wait_phase(clinic, "notes", "Stopped", 60)
    wait_for("the late client to be refused", lambda: heard(admin, clinic, "late").refusals >= 3, 30)
    assert not heard(admin, clinic, "late").tokens
    assert uid_of_pod(admin, clinic) == before
    assert admin.get("NetworkPolicy", clinic, "notes-allow") is not None
    # Else the kubelet would correct what the guard writes of a pod that ends, and end it up to a second later.
    assert ready_in_words(admin, clinic) == (not_ready("")["status"], not_ready("")["message"])


def ready_in_words(admin: Admin, clinic: str) -> tuple[str, str]:
    body = admin.get("Pod", clinic, "notes-0")
    assert body is not None
    ready = next(each for each in body["status"]["conditions"] if each["type"] == "Ready")
    return ready["status"], ready["message"]


@pytest.mark.guarantee("G11")
def test_a_drain_lets_answers_finish_until_its_grace_is_over(
    bed: Testbed, admin: Admin, ground: Ground, clinic: str, probe: str
) -> None:
    grace = 8
    admin.create(served("notes", clinic, ground.engine_image, env=LONG, shutdown={"graceSeconds": grace}))
    wait_available(admin, clinic, "notes")
    address = address_of(admin, clinic, "notes")
    admin.create(reader(clinic, "long", probe, address, tokens=1900))
    admin.create(reader(clinic, "short", probe, address, tokens=200))
    for client in ("long", "short"):
        wait_tokens(admin, clinic, client, 20)

    moment = now()
    engage(admin, clinic, "notes", "drain")
    come_late(admin, clinic, probe, address, moment)

    admin.wait_gone("NetworkPolicy", clinic, "notes-allow", grace + 10)
    cut = now() - moment
    short, long = wait_end(admin, clinic, "short"), wait_end(admin, clinic, "long")
    how = "Cilium" if enforces(bed) else "the bridge plugin and kube-proxy"
    note(f"from a drain of {grace} s to the end of the clients' policy, with {how}", cut)
    note(f"to the last token of a long stream, with {how} ({long.ended})", long.tokens[-1]["at"] - moment)
    assert grace - 1 <= cut < grace + 5
    assert long.ended != "complete"
    if not enforces(bed):
        assert short.ended == "complete"
        assert long.tokens[-1]["at"] - moment > grace - 1  # then the engine's own drain begins
    admin.wait_phase(clinic, "notes", "Stopped", 60)
    assert not heard(admin, clinic, "late").tokens
    assert uid_of_pod(admin, clinic) is None
