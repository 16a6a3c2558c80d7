"""The faults of this moment, and who waits for them to change."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tests.doubles.tgi.settings import Faults, changed


class FaultBox:
    """One for the process. Everything that has faults looks here each time."""

    def __init__(self, faults: Faults) -> None:
        self.now = faults
        self._changed = asyncio.Event()

    def change(self, new: Mapping[str, Any]) -> None:
        """Raises SettingError, and then nothing has changed."""
        self._set(changed(self.now, new))

    def reset(self) -> None:
        self._set(Faults())

    async def until(self, holds: Callable[[Faults], bool]) -> None:
        while not holds(self.now):
            await self._changed.wait()

    def take_failure(self) -> bool:
        """Does the forward pass that is under way fail? Each of a limited number is used up by one pass."""
        left = self.now.forward_failures
        if left > 0:
            self.change({"forward_failures": left - 1})
        return left != 0

    def _set(self, faults: Faults) -> None:
        self.now = faults
        self._changed.set()
        self._changed = asyncio.Event()
