"""What took how long, shown at the end of the run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

LINES: list[str] = []


def note(what: str, seconds: float) -> None:
    LINES.append(f"{what}: {seconds:.3f} s" if seconds < 1 else f"{what}: {seconds:.1f} s")


@contextmanager
def measured(what: str) -> Iterator[None]:
    """Note how long the block took."""
    began = time.monotonic()
    yield
    note(what, time.monotonic() - began)
