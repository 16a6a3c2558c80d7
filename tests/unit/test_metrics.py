"""The text that Prometheus scrapes."""

from typing import Any

import prometheus_client

from meditron_operator.shell.metrics import Metrics

KEY = ("clinical-ai", "ward")
NAMES = 'name="ward",namespace="clinical-ai"'


def status(measured: dict[str, Any] | None, reason: str = "Measured", predicted: int | None = 8050) -> dict[str, Any]:
    found: dict[str, Any] = {"conditions": [{"type": "PlanVerified", "reason": reason}]}
    if predicted is not None:
        found["plan"] = {"kvCapacityTokens": predicted}
    return found if measured is None else found | {"measured": measured}


def lines(metrics: Metrics, about: str = "meditron_kv_") -> list[str]:
    return [line for line in metrics.text().decode().splitlines() if line.startswith(about)]


def test_who_waits_for_the_lease_says_so() -> None:
    metrics = Metrics()
    told = []
    for held in (False, True, False):
        metrics.lease(held)
        told += lines(metrics, "meditron_operator_")
    assert told == [f"meditron_operator_lease_held {value}" for value in ("0.0", "1.0", "0.0")]


def test_predicted_and_measured_stand_side_by_side() -> None:
    metrics = Metrics()
    metrics.tell(KEY, status({"kvCapacityTokens": 8100}))
    assert lines(metrics) == [
        f"meditron_kv_capacity_predicted_tokens{{{NAMES}}} 8050.0",
        f"meditron_kv_capacity_measured_tokens{{{NAMES}}} 8100.0",
        f"meditron_kv_capacity_prediction_off{{{NAMES}}} 0.0",
    ]


def test_what_is_not_known_is_not_told() -> None:
    metrics = Metrics()
    metrics.tell(KEY, status({"kvCapacityTokens": 6000}, "PredictionOff"))
    assert lines(metrics)[-1].endswith(" 1.0")
    metrics.tell(KEY, status({"replicas": []}, "NotMeasured"))
    assert len(lines(metrics)) == 2
    metrics.tell(KEY, status(None, "NotMeasured"))
    assert len(lines(metrics)) == 1
    metrics.tell(KEY, status(None, "NotAccepted", predicted=None))
    assert lines(metrics) == []


def test_a_deployment_that_is_gone_leaves_nothing() -> None:
    metrics = Metrics()
    metrics.tell(KEY, status({"kvCapacityTokens": 8100}))
    metrics.forget(KEY)
    metrics.forget(("never", "seen"))
    assert lines(metrics) == []


def test_the_global_registry_stays_out_of_it() -> None:
    Metrics().tell(KEY, status(None))
    Metrics()
    assert b"meditron" not in prometheus_client.generate_latest()
