"""What Prometheus may scrape: numbers that a pass has put there; a scrape computes nothing but text."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from meditron_operator.shell.store import ObjectKey

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_LABELS: Final = ("namespace", "name")


class Metrics:
    """Gauges of every deployment, in a registry of their own: the global one belongs to whoever imports it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        def gauge(name: str, words: str) -> Gauge:
            return Gauge(f"meditron_kv_capacity_{name}", words, _LABELS, registry=self._registry)

        self._predicted = gauge("predicted_tokens", "KV cache of one replica as sizing predicts it, in tokens.")
        self._measured = gauge("measured_tokens", "Least KV cache that a replica's engine reported, in tokens.")
        self._lease = Gauge(
            "meditron_operator_lease_held",
            "1 while this process holds the lease and may write, 0 while it waits for another.",
            registry=self._registry,
        )
        self._off = gauge("prediction_off", "1 where they differ by more than the prediction allows for, else 0.")

    def tell(self, key: ObjectKey, status: Mapping[str, Any]) -> None:
        """Take in the status of a deployment."""
        verdicts = {item["type"]: item for item in status["conditions"]}
        off, told = verdicts["PlanVerified"]["reason"] == "PredictionOff", "measured" in status
        _set(self._predicted, key, status.get("plan", {}).get("kvCapacityTokens"))
        _set(self._measured, key, status.get("measured", {}).get("kvCapacityTokens"))
        _set(self._off, key, int(off) if told else None)

    def forget(self, key: ObjectKey) -> None:
        """The deployment is gone."""
        for gauge in (self._predicted, self._measured, self._off):
            _set(gauge, key, None)

    def lease(self, held: bool) -> None:
        """Whether this process may write."""
        self._lease.set(int(held))

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)


def _set(gauge: Gauge, key: ObjectKey, value: float | None) -> None:
    if value is not None:
        gauge.labels(*key).set(value)
        return
    with suppress(KeyError):  # it was not there
        gauge.remove(*key)
