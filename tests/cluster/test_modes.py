"""Hold and drain: new clients are kept away at once, and what is being answered is not."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from kubernetes.dynamic.exceptions import ForbiddenError

from tests.cluster.attacks.world import pod as bare_pod
from tests.cluster.attacks.world import policy
from tests.cluster.people import DEPLOYMENT, engage, refusal, release, resume, tell
from tests.cluster.support import Admin, Audit, Manifest, condition, deployment, touch, writes_caused
from tests.cluster.test_kill import assert_stopped
from tests.testbed import Testbed
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

OURS = {"meditron.ai/deployment": "notes"}
GATE = "meditron.ai/serving"
SCOPES = ("deployment", "namespace", "cluster")
LONG = {"graceSeconds": 600}
CLEANUP_SECONDS = 60


def serve(admin: Admin, namespace: str, **spec: object) -> Manifest:
    """A deployment that serves; returns its pod."""
    admin.create(deployment("notes", namespace, **spec))
    admin.wait_settled(namespace, "notes", "Ready")
    return there(admin, "Pod", namespace, "notes-0")


def there(admin: Admin, kind: str, namespace: str, name: str) -> Manifest:
    body = admin.get(kind, namespace, name)
    assert body is not None, f"{kind} {name} is gone"
    return body


@contextmanager
def engaged(admin: Admin, namespace: str, scope: str, mode: str) -> Iterator[None]:
    """Engaged at that scope, and let go afterwards; a deployment's own switch is let go with its namespace."""
    if scope == "deployment":
        engage(admin, namespace, "notes", mode)
        yield
        return
    carrier = namespace if scope == "namespace" else "meditron-system"
    engage(admin, None, carrier, mode, kind="Namespace")
    try:
        yield
    finally:
        release(admin, None, carrier, kind="Namespace")
        resume(admin, None, carrier, kind="Namespace")


def said(body: Manifest, type_: str) -> str:
    """The status of one of a pod's conditions."""
    conditions = body["status"].get("conditions", [])
    return str(next((item["status"] for item in conditions if item["type"] == type_), "absent"))


def made_by_hand(namespace: str, **spec: object) -> Manifest:
    """A pod with our label that Pod Security lets through."""
    body = bare_pod(namespace, "impostor", OURS)
    closed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    body["spec"]["containers"][0]["securityContext"] = closed
    body["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    body["spec"] |= spec
    return body


def uid_of(body: Manifest | None) -> str | None:
    return body["metadata"]["uid"] if body else None


def as_written(admin: Admin, namespace: str) -> list[tuple[str, str, int]]:
    """What a hold must not touch, and how it is now."""
    kept = [("StatefulSet", "notes"), ("NetworkPolicy", "notes-allow"), ("Service", "notes")]
    found = [there(admin, kind, namespace, name) for kind, name in kept]
    return [(body["kind"], uid_of(body) or "", body["metadata"].get("generation", 0)) for body in found]


# --- hold


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.guarantee("G11")
def test_hold_closes_the_gates_and_keeps_the_pods(admin: Admin, audit: Audit, namespace: str, scope: str) -> None:
    before, kept = serve(admin, namespace), as_written(admin, namespace)

    with engaged(admin, namespace, scope, "hold"):
        stopped = admin.wait_condition(namespace, "notes", "Stopped", "EngagedUnverified")
        assert stopped["status"] == "True"
        assert "no new client gets in, 1 pod kept warm" in stopped["message"]
        body = admin.wait_phase(namespace, "notes", "Stopped")
        assert condition(body, "Available")["reason"] == "Stopped"
        assert (body["status"]["ready"], body["status"]["desiredReplicas"]) == ("0/1", 1)
        assert body["status"]["kill"] == ("hold" if scope == "deployment" else f"hold ({scope})")
        warm = there(admin, "Pod", namespace, "notes-0")
        assert uid_of(warm) == uid_of(before)
        assert (said(warm, GATE), said(warm, "Ready"), said(warm, "ContainersReady")) == ("False", "False", "True")
        assert as_written(admin, namespace) == kept
        if scope == "deployment":  # what is made to tell the end of a pass is stopped too in the wider ones
            assert writes_caused(admin, audit, namespace, lambda: touch(admin, namespace, "notes")) == []


@pytest.mark.parametrize("scope", SCOPES)
def test_a_warm_pod_that_ends_comes_back_behind_its_closed_gate(admin: Admin, namespace: str, scope: str) -> None:
    before = serve(admin, namespace)
    with engaged(admin, namespace, scope, "hold"):
        admin.wait_phase(namespace, "notes", "Stopped")

        admin.delete("Pod", namespace, "notes-0")

        def is_back(body: Manifest | None) -> bool:
            return body is not None and uid_of(body) != uid_of(before) and said(body, "ContainersReady") == "True"

        again = admin.wait("Pod", namespace, "notes-0", is_back, 60)
        assert again is not None
        assert said(again, "Ready") == "False"
        admin.wait(DEPLOYMENT, namespace, "notes", lambda body: "1 pod kept warm" in stopped_words(body))
        assert said(there(admin, "Pod", namespace, "notes-0"), GATE) == "absent"


def test_released_and_resumed_the_same_pod_serves_again(admin: Admin, audit: Audit, namespace: str) -> None:
    before, kept = serve(admin, namespace), as_written(admin, namespace)
    engage(admin, namespace, "notes", "hold")
    admin.wait_phase(namespace, "notes", "Stopped")
    tell(admin, namespace, "notes", "Engaged", "hold", message="no ready endpoint")
    proven = admin.wait_condition(namespace, "notes", "Stopped", "Engaged")
    assert proven["message"].endswith(
        "1 pod kept warm; proven from outside: no ready endpoint (hold: wrong dose suggested)"
    )

    release(admin, namespace, "notes")

    admin.wait_condition(namespace, "notes", "Stopped", "Released")
    tell(admin, namespace, "notes", "Released", "hold")
    assert writes_caused(admin, audit, namespace, lambda: touch(admin, namespace, "notes")) == []
    assert said(there(admin, "Pod", namespace, "notes-0"), GATE) == "False"
    resume(admin, namespace, "notes")
    admin.wait_settled(namespace, "notes", "Ready")
    assert uid_of(admin.get("Pod", namespace, "notes-0")) == uid_of(before)
    assert as_written(admin, namespace) == kept


def test_a_release_of_which_no_guard_tells_the_mode_counts_as_halt(admin: Admin, namespace: str) -> None:
    serve(admin, namespace)
    engage(admin, namespace, "notes", "hold")
    admin.wait_phase(namespace, "notes", "Stopped")

    release(admin, namespace, "notes")

    admin.wait_gone("Pod", namespace, "notes-0", 60)
    assert admin.get("NetworkPolicy", namespace, "notes-allow") is None


def test_what_a_hold_refuses(admin: Admin, namespace: str) -> None:
    serve(admin, namespace)
    engage(admin, namespace, "notes", "hold")
    admin.wait_phase(namespace, "notes", "Stopped")

    for kind in (DEPLOYMENT, "StatefulSet"):
        assert "replicas must not rise" in refusal(admin, kind, namespace, "notes", {"spec": {"replicas": 3}})
    with pytest.raises(ForbiddenError, match="this policy would open its pods"):
        admin.create(policy(namespace, "mine", {"matchLabels": OURS}))
    with pytest.raises(ForbiddenError, match="the kill switch keeps notes off"):
        admin.create(made_by_hand(namespace))  # without a gate clients would be sent to it
    without = {"metadata": {"annotations": {"meditron.ai/kill-switch": None}}}
    assert "must first be requested" in refusal(admin, DEPLOYMENT, namespace, "notes", without)


def test_a_change_of_the_template_waits_for_the_end_of_a_hold(admin: Admin, audit: Audit, namespace: str) -> None:
    before, kept = serve(admin, namespace), as_written(admin, namespace)
    engage(admin, namespace, "notes", "hold")
    admin.wait_phase(namespace, "notes", "Stopped")

    change = {"shutdown": {"graceSeconds": 99}, "rollout": {"allowOutage": True}}
    admin.patch(DEPLOYMENT, namespace, "notes", {"spec": change})

    held = admin.wait_condition(namespace, "notes", "Progressing", "Held")
    assert "StatefulSet notes" in held["message"]
    assert writes_caused(admin, audit, namespace, lambda: touch(admin, namespace, "notes")) == []
    assert as_written(admin, namespace) == kept
    assert uid_of(admin.get("Pod", namespace, "notes-0")) == uid_of(before)
    tell(admin, namespace, "notes", "Engaged", "hold")
    release(admin, namespace, "notes")
    resume(admin, namespace, "notes")
    admin.wait("Pod", namespace, "notes-0", lambda body: body is not None and uid_of(body) != uid_of(before), 60)
    admin.wait_settled(namespace, "notes", "Ready")


def test_fewer_replicas_may_be_asked_of_a_hold(admin: Admin, namespace: str) -> None:
    admin.create(deployment("notes", namespace, replicas=2))
    admin.wait_settled(namespace, "notes", "Ready")
    before = there(admin, "Pod", namespace, "notes-0")
    engage(admin, namespace, "notes", "hold")
    admin.wait_phase(namespace, "notes", "Stopped")

    admin.patch(DEPLOYMENT, namespace, "notes", {"spec": {"replicas": 1}})

    admin.wait_gone("Pod", namespace, "notes-1", 60)
    body = admin.wait("MeditronDeployment", namespace, "notes", lambda body: ready(body) == "0/1")
    assert body is not None
    assert body["status"]["phase"] == "Stopped"
    assert uid_of(admin.get("Pod", namespace, "notes-0")) == uid_of(before)


def ready(body: Manifest | None) -> str:
    return str((body or {}).get("status", {}).get("ready"))


def test_a_hold_gives_nothing_back_that_a_wider_halt_took(admin: Admin, namespace: str) -> None:
    serve(admin, namespace)
    engage(admin, namespace, "notes", "hold")
    admin.wait_phase(namespace, "notes", "Stopped")

    with engaged(admin, namespace, "namespace", "halt"):
        admin.wait_gone("Pod", namespace, "notes-0", 60)
        assert_stopped(admin, namespace, "notes")
        with pytest.raises(ForbiddenError, match="keeps the whole namespace off"):
            admin.create(made_by_hand(namespace, readinessGates=[{"conditionType": GATE}]))

    body = admin.wait(DEPLOYMENT, namespace, "notes", lambda body: "0 pods kept warm" in stopped_words(body))
    assert body is not None
    assert body["status"]["kill"] == "hold"
    assert_gone(admin, namespace)


# --- drain


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.guarantee("G11")
def test_a_drain_cuts_when_its_grace_is_over_with_no_guard(
    admin: Admin, audit: Audit, namespace: str, scope: str
) -> None:
    before, kept = serve(admin, namespace, shutdown={"graceSeconds": 6}), as_written(admin, namespace)
    began = time.monotonic()
    with engaged(admin, namespace, scope, "drain"):
        gates = admin.wait("Pod", namespace, "notes-0", lambda body: body is not None and said(body, GATE) == "False")
        closed = time.monotonic() - began
        assert uid_of(gates) == uid_of(before)
        body = admin.wait(DEPLOYMENT, namespace, "notes", lambda body: "may take until" in stopped_words(body))
        assert body is not None
        assert (condition(body, "Stopped")["status"], body["status"]["phase"]) == ("False", "Stopping")
        assert as_written(admin, namespace) == kept

        admin.wait_gone("NetworkPolicy", namespace, "notes-allow", 20)
        cut = time.monotonic() - began
        print(f"\ndrain at the {scope}: gate closed after {closed:.2f} s, cut after {cut:.2f} s of 6 s grace")
        assert closed < 3
        assert 6 - 1 <= cut < 6 + 3  # the server writes its time down in whole seconds
        admin.wait_gone("Pod", namespace, "notes-0", CLEANUP_SECONDS)
        assert_stopped(admin, namespace, "notes")
        admin.wait_settled(namespace, "notes", "Stopped")
        if scope == "deployment":  # what is made to tell the end of a pass is stopped too in the wider ones
            assert writes_caused(admin, audit, namespace, lambda: touch(admin, namespace, "notes")) == []


def stopped_words(body: Manifest | None) -> str:
    return str(condition(body or {}, "Stopped").get("message", ""))


@pytest.mark.parametrize("mode", ["hold", "drain"])
def test_escalated_to_halt_it_is_cut_at_once(admin: Admin, namespace: str, mode: str) -> None:
    serve(admin, namespace, shutdown=LONG)
    engage(admin, namespace, "notes", mode)
    gone = {"drain": "may take until", "hold": "kept warm"}[mode]
    admin.wait(DEPLOYMENT, namespace, "notes", lambda body: gone in stopped_words(body))

    began = time.monotonic()
    engage(admin, namespace, "notes", "halt")
    admin.wait_gone("NetworkPolicy", namespace, "notes-allow")

    assert time.monotonic() - began < 5
    admin.wait_gone("Pod", namespace, "notes-0", CLEANUP_SECONDS)
    assert_stopped(admin, namespace, "notes")


def test_the_guards_clock_ends_a_drain(admin: Admin, namespace: str) -> None:
    """It saw the stop first: whoever annotates again does not lengthen it."""
    serve(admin, namespace, shutdown=LONG)
    engage(admin, namespace, "notes", "drain")
    admin.wait(DEPLOYMENT, namespace, "notes", lambda body: "may take until" in stopped_words(body))

    earlier = (datetime.now(UTC) - timedelta(seconds=599)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    tell(admin, namespace, "notes", "Engaging", "drain", engagedAt=earlier)

    admin.wait_gone("NetworkPolicy", namespace, "notes-allow", 10)
    tell(admin, namespace, "notes", "Engaged", "drain", engagedAt=earlier)
    admin.wait_condition(namespace, "notes", "Stopped", "Engaged", 60)


def test_what_the_guard_has_cut_stays_cut(admin: Admin, namespace: str) -> None:
    serve(admin, namespace, shutdown=LONG)
    engage(admin, namespace, "notes", "drain")
    admin.wait(DEPLOYMENT, namespace, "notes", lambda body: "may take until" in stopped_words(body))

    tell(admin, namespace, "notes", "Engaging", "drain", trafficCutAt="2026-01-01T00:00:00.000Z")

    admin.wait_gone("Pod", namespace, "notes-0", 60)
    assert_gone(admin, namespace)


def assert_gone(admin: Admin, namespace: str) -> None:
    wait_for("the clients' policy to go", lambda: admin.get("NetworkPolicy", namespace, "notes-allow") is None, 10)
    assert there(admin, "StatefulSet", namespace, "notes")["spec"]["replicas"] == 0


def test_a_restart_does_not_lengthen_a_drain(bed: Testbed, admin: Admin, namespace: str) -> None:
    serve(admin, namespace, shutdown={"graceSeconds": 4})
    engage(admin, namespace, "notes", "drain")
    admin.wait(DEPLOYMENT, namespace, "notes", lambda body: "may take until" in stopped_words(body))
    began = time.monotonic()
    bed.kill("operator")
    wait_for("the grace to be over", lambda: time.monotonic() > began + 4, 10)
    assert admin.get("NetworkPolicy", namespace, "notes-allow") is not None

    bed.start_program("operator")

    started = time.monotonic()
    admin.wait_gone("NetworkPolicy", namespace, "notes-allow")
    assert time.monotonic() - started < 3
    assert_stopped(admin, namespace, "notes")


def test_a_pod_that_ends_in_a_drain_does_not_come_back(admin: Admin, namespace: str) -> None:
    before = serve(admin, namespace, shutdown=LONG)
    engage(admin, namespace, "notes", "drain")
    admin.wait(DEPLOYMENT, namespace, "notes", lambda body: "may take until" in stopped_words(body))
    with pytest.raises(ForbiddenError, match="the kill switch keeps notes off"):
        admin.create(made_by_hand(namespace, readinessGates=[{"conditionType": GATE}]))

    admin.delete("Pod", namespace, "notes-0")

    admin.wait_gone("Pod", namespace, "notes-0", 60)
    refused = (
        f"involvedObject.kind=StatefulSet,involvedObject.uid={uid_of(there(admin, 'StatefulSet', namespace, 'notes'))}"
    )
    wait_for(
        "its controller to be refused",
        lambda: any("kill switch" in str(told) for told in events(admin, namespace, refused)),
        20,
    )
    assert uid_of(admin.get("Pod", namespace, "notes-0")) != uid_of(before)


def events(admin: Admin, namespace: str, selector: str) -> list[Manifest]:
    found = admin.resource("Event").get(namespace=namespace, field_selector=selector)
    return [dict(item.to_dict()) for item in found.items]
