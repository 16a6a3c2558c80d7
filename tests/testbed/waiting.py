"""The one way to wait for what gives no signal of its own."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.testbed.errors import TestbedError

T = TypeVar("T")
_INTERVAL_SECONDS = 0.05


def wait_for(what: str, look: Callable[[], T | None], limit_seconds: float) -> T:
    """Call `look` until it returns something true, and return that.

    Raises TestbedError, which names `what`, when the limit has passed. What `look` raises is not caught.
    """
    deadline = time.monotonic() + limit_seconds
    while not (seen := look()):
        if time.monotonic() >= deadline:
            raise TestbedError(f"waited {limit_seconds:.0f} s in vain: {what}")
        time.sleep(_INTERVAL_SECONDS)
    return seen
