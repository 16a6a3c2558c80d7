"""Predicted against measured. The log comes through the real API server; the kubelet behind it is simulated, and no
engine wrote the lines (tests/testbed/enginelogs.py)."""

import urllib.request

import pytest

from tests.cluster.support import Admin, Audit, Mark, core, deployment, writes_caused
from tests.testbed import Testbed
from tests.testbed.enginelogs import SHORT_TOKENS, USUAL_TOKENS

pytestmark = pytest.mark.cluster


def logs_read(audit: Audit, mark: Mark, namespace: str) -> list[str]:
    """Names of the pods whose log the operator asked for."""
    wanted = ("pods/log", "get", namespace)
    found = {
        request.id: request.name
        for request in audit.since(mark)
        if (request.resource, request.verb, request.namespace) == wanted
    }
    return sorted(found.values())


def metrics(bed: Testbed, namespace: str) -> dict[str, float]:
    """What Prometheus would scrape about the deployments of a namespace, by metric and deployment."""
    assert bed.operator_health_url is not None
    url = bed.operator_health_url.replace("/healthz", "/metrics")
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
        lines = answer.read().decode().splitlines()
    found = [line.split(" ") for line in lines if f'namespace="{namespace}"' in line]
    return {name.split('",')[0].replace('{name="', " "): float(value) for name, value in found}


def test_measured_figures_are_told_and_read_only_once(bed: Testbed, admin: Admin, audit: Audit, namespace: str) -> None:
    mark = audit.mark()
    admin.create(deployment("notes", namespace, replicas=2))
    admin.create(deployment("says-nothing", namespace))

    verified = admin.wait_condition(namespace, "notes", "PlanVerified", "Measured")
    unknown = admin.wait_condition(namespace, "says-nothing", "PlanVerified", "NotMeasured")
    admin.wait(
        "MeditronDeployment",
        namespace,
        "notes",
        lambda body: bool(body and len(body["status"].get("measured", {}).get("replicas", [])) == 2),
    )
    admin.wait(
        "MeditronDeployment",
        namespace,
        "says-nothing",
        lambda body: bool(body and "measured" in body["status"]),
    )

    assert verified["status"] == "True"
    assert "measured 12,800 tokens" in verified["message"]
    assert "predicted 12,315: +3.9 %" in verified["message"]
    body = admin.wait_settled(namespace, "notes", "Ready")
    measured = body["status"]["measured"]
    assert (measured["kvCapacityTokens"], measured["differencePercent"]) == (USUAL_TOKENS, 3.9)
    assert [(each["pod"], each["kvCapacityTokens"]) for each in measured["replicas"]] == [
        ("notes-0", USUAL_TOKENS),
        ("notes-1", USUAL_TOKENS),
    ]
    assert unknown["status"] == "Unknown"
    assert logs_read(audit, mark, namespace) == ["notes-0", "notes-1", "says-nothing-0"]
    assert metrics(bed, namespace) == {
        "meditron_kv_capacity_predicted_tokens notes": 12_315,
        "meditron_kv_capacity_predicted_tokens says-nothing": 12_315,
        "meditron_kv_capacity_measured_tokens notes": USUAL_TOKENS,
        "meditron_kv_capacity_prediction_off notes": 0,
        "meditron_kv_capacity_prediction_off says-nothing": 0,
    }

    again = audit.mark()

    def restart() -> None:
        bed.stop("operator")
        bed.start_program("operator")

    assert writes_caused(admin, audit, namespace, restart) == []
    assert logs_read(audit, again, namespace) == []


def test_a_replica_that_got_far_less_is_told_once(bed: Testbed, admin: Admin, namespace: str) -> None:
    admin.create(deployment("short-of-cache", namespace))

    off = admin.wait_condition(namespace, "short-of-cache", "PlanVerified", "PredictionOff")

    assert off["status"] == "False"
    assert f"measured {SHORT_TOKENS:,} tokens, predicted 12,315: -51.3 %; requests may have to wait" in off["message"]
    admin.wait_settled(namespace, "short-of-cache", "Ready")
    events = core(admin).list_namespaced_event(namespace, field_selector="reason=PredictionOff").items
    assert [(event.type, event.count) for event in events] == [("Warning", 1)]
    assert metrics(bed, namespace)["meditron_kv_capacity_prediction_off short-of-cache"] == 1

    admin.delete("MeditronDeployment", namespace, "short-of-cache")
    admin.wait_gone("StatefulSet", namespace, "short-of-cache", 60)
    assert metrics(bed, namespace) == {}


def test_a_replaced_pod_is_measured_anew(admin: Admin, audit: Audit, namespace: str) -> None:
    admin.create(deployment("notes", namespace))
    first = admin.wait("MeditronDeployment", namespace, "notes", lambda body: uid_in(body) != "")
    mark = audit.mark()

    admin.delete("Pod", namespace, "notes-0")

    admin.wait("MeditronDeployment", namespace, "notes", lambda body: uid_in(body) not in ("", uid_in(first)))
    admin.wait_condition(namespace, "notes", "PlanVerified", "Measured")
    assert logs_read(audit, mark, namespace) == ["notes-0"]


def uid_in(body: dict[str, object] | None) -> str:
    match body:
        case {"status": {"measured": {"replicas": [{"uid": str(uid)}]}}}:
            return uid
    return ""
