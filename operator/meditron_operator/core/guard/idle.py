"""Whether an engine has anything left to answer, by what it tells Prometheus."""

from typing import Final

LOOKS: Final = 2  # in a row: between two batches the figures are 0 for a moment

_GAUGES: Final = frozenset({"tgi_batch_current_size", "tgi_queue_size"})


def is_idle(metrics: str) -> bool:
    """Only where it says so itself: a figure that is missing is no 0."""
    samples = (line.split() for line in metrics.splitlines())
    values = {words[0]: words[1] for words in samples if len(words) >= 2 and words[0] in _GAUGES}
    return values.keys() == _GAUGES and all(map(_is_zero, values.values()))


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0
    except ValueError:
        return False
