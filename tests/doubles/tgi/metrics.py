"""Metrics with TGI's names, kinds and buckets, written as metrics-exporter-prometheus writes them.

A series appears with its first value: right after the start there is none. Counters have no `_total`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

_DURATIONS: Final = 35
_LINEAR: Final = 100
_QUANTILES: Final = ("0", "0.5", "0.9", "0.95", "0.99", "0.999", "1")

HELP: Final = {
    "tgi_request_success": "Number of successful requests",
    "tgi_request_duration": "Total time spent processing the request",
    "tgi_request_validation_duration": "Time spent validating the request",
    "tgi_request_queue_duration": "Time spent in the queue per request",
    "tgi_request_inference_duration": "Request inference duration",
    "tgi_request_mean_time_per_token_duration": "Mean time per token per request",
    "tgi_request_generated_tokens": "Generated tokens per request",
    "tgi_batch_inference_count": "Inference calls per method (prefill or decode)",
    "tgi_request_count": "Total number of requests",
    "tgi_batch_inference_success": "Number of successful inference calls per method (prefill or decode)",
    "tgi_batch_current_size": "Current batch size",
    "tgi_queue_size": "Current queue size",
    "tgi_batch_current_max_tokens": "Maximum tokens for the current batch",
    "tgi_request_max_new_tokens": "Maximum new tokens per request",
    "tgi_batch_inference_duration": "Batch inference duration",
    "tgi_batch_forward_duration": "Batch forward duration per method (prefill or decode)",
    "tgi_request_skipped_tokens": "Speculated tokens per request",
    "tgi_batch_filter_duration": (
        "Time spent filtering batches and sending generated tokens per method (prefill or decode)"
    ),
    "tgi_batch_decode_duration": "Time spent decoding a batch per method (prefill or decode)",
    "tgi_request_input_length": "Input token length per request",
    "tgi_batch_next_size": "Batch size of the next batch",
}


@dataclass(slots=True)
class _Histogram:
    bounds: Sequence[float]
    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Metrics:
    """The recorder. Labels are written as they are kept: `err="validation"`."""

    max_input_tokens: int
    max_total_tokens: int
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    histograms: dict[str, dict[str, _Histogram]] = field(default_factory=dict)
    zeros: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, labels: str = "", by: int = 1) -> None:
        series = self.counters.setdefault(name, {})
        series[labels] = series.get(labels, 0) + by

    def gauge(self, name: str, value: float) -> None:
        self.gauges[name] = value

    def add(self, name: str, value: float) -> None:
        self.gauges[name] = self.gauges.get(name, 0) + value

    def observe(self, name: str, value: float, labels: str = "") -> None:
        series = self.histograms.setdefault(name, {})
        found = series.get(labels)
        if found is None:
            bounds = self._bounds(name)
            found = series[labels] = _Histogram(bounds, [0] * (len(bounds) + 1))
        found.counts[bisect_left(found.bounds, value)] += 1
        found.total += value

    def zero(self, name: str, times: int) -> None:
        """A summary that only ever sees zeros: tgi_request_skipped_tokens without speculation."""
        self.zeros[name] = self.zeros.get(name, 0) + times

    def text(self) -> str:
        blocks = [self._counter(name) for name in self.counters]
        blocks += [_head(name, "gauge") + f"{name} {_number(value)}\n" for name, value in self.gauges.items()]
        blocks += [self._histogram(name) for name in self.histograms]
        blocks += [_summary(name, times) for name, times in self.zeros.items()]
        return "".join(block + "\n" for block in blocks)

    def _bounds(self, name: str) -> list[float]:
        if name.endswith("duration"):
            bounds, value = [], 0.0001
            for _ in range(_DURATIONS):
                value *= 1.5
                bounds.append(value)
            return bounds
        if name == "tgi_batch_next_size":
            return [float(size) for size in range(1, 1025)]
        top = self.max_input_tokens if name == "tgi_request_input_length" else self.max_total_tokens
        return [top / 100.0 * (step + 1) for step in range(_LINEAR)]

    def _counter(self, name: str) -> str:
        lines = (f"{name}{_labels(labels)} {value}\n" for labels, value in self.counters[name].items())
        return _head(name, "counter") + "".join(lines)

    def _histogram(self, name: str) -> str:
        return _head(name, "histogram") + "".join(
            _buckets(name, labels, found) for labels, found in self.histograms[name].items()
        )


def _buckets(name: str, labels: str, found: _Histogram) -> str:
    lines, seen = [], 0
    for bound, count in zip([*found.bounds, None], found.counts, strict=True):
        seen += count
        le = "+Inf" if bound is None else _number(bound)
        lines.append(f"{name}_bucket{_labels(labels, _le(le))} {seen}\n")
    return "".join(lines) + (
        f"{name}_sum{_labels(labels)} {_number(found.total)}\n{name}_count{_labels(labels)} {seen}\n"
    )


def _summary(name: str, times: int) -> str:
    quantiles = "".join(f'{name}{{quantile="{quantile}"}} 0\n' for quantile in _QUANTILES)
    return _head(name, "summary") + quantiles + f"{name}_sum 0\n{name}_count {times}\n"


def _head(name: str, kind: str) -> str:
    described = f"# HELP {name} {HELP[name]}\n" if name in HELP else ""
    return f"{described}# TYPE {name} {kind}\n"


def _labels(*parts: str) -> str:
    joined = ",".join(part for part in parts if part)
    return f"{{{joined}}}" if joined else ""


def _le(bound: str) -> str:
    return f'le="{bound}"'


def _number(value: float) -> str:
    """Rust's Display: the shortest digits that give the same number back, never with an exponent."""
    if value == int(value):
        return str(int(value))
    return format(Decimal(repr(value)), "f")
