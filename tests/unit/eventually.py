"""Waiting for a state that has no event of its own: with a deadline, and no longer than it takes."""

import asyncio
from collections.abc import Callable
from typing import Final

DEADLINE_SECONDS: Final = 10.0


async def eventually(ready: Callable[[], object]) -> None:
    """Return as soon as `ready()` is true."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not ready():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
