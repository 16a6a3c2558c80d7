"""What Prometheus may scrape of the guard."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from meditron_operator.core.killswitch import SwitchState, SwitchStatus
from meditron_operator.shell.store import ObjectKey

_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)


class GuardMetrics:
    """Figures in a registry of their own."""

    def __init__(self, ages: Callable[[], Mapping[str, float | None]]) -> None:
        self._ages = ages
        self._registry = registry = CollectorRegistry()
        self._modes: dict[ObjectKey, str] = {}
        self._lost: dict[ObjectKey, int] = {}
        self._engaged = Gauge(
            "meditron_guard_engaged",
            "1 for each deployment that a kill switch keeps off.",
            ("namespace", "name", "mode"),
            registry=registry,
        )
        self._seconds = Histogram(
            "meditron_guard_seconds_to_stop",
            "Seconds from the guard's notice to the last pod's end; of a hold, until traffic was cut.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._age = Gauge(
            "meditron_guard_watch_age_seconds", "Seconds since the last word.", ("resource",), registry=registry
        )
        self._unconfirmed = Gauge(
            "meditron_guard_unconfirmed_pods", "Pods on lost nodes that nobody saw end.", registry=registry
        )
        self._errors = Counter("meditron_guard_errors", "Requests and passes that failed.", registry=registry)

    def engaged(self, key: ObjectKey, mode: str) -> None:
        """It is off."""
        if self._modes.get(key) != mode:
            self.forget(key)
            self._modes[key] = mode
            self._engaged.labels(*key, mode).set(1)

    def told(self, before: SwitchStatus | None, status: SwitchStatus) -> None:
        """This status was stored, by this guard."""
        first = status.state is SwitchState.ENGAGED and (before is None or before.state is not SwitchState.ENGAGED)
        if first and status.seconds_to_stop is not None:
            self._seconds.observe(status.seconds_to_stop)

    def unconfirmed(self, key: ObjectKey, pods: int) -> None:
        self._lost[key] = pods

    def forget(self, key: ObjectKey) -> None:
        """It may run, or is gone."""
        self._lost.pop(key, None)
        with suppress(KeyError):  # it was not there
            self._engaged.remove(*key, self._modes.pop(key))

    def failed(self) -> None:
        self._errors.inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        self._unconfirmed.set(sum(self._lost.values()))
        for resource, age in self._ages().items():
            self._age.labels(resource).set(float("inf") if age is None else age)
        return generate_latest(self._registry)
