"""One question for all who have it: a namespace's pods are not listed once for each of its deployments."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Together(Generic[Key, Value]):
    """Every answer is to a question that was asked after `get` was called: never older news than that."""

    def __init__(self, ask: Callable[[Key], Awaitable[Value]]) -> None:
        self._ask = ask
        self._asked: dict[Key, asyncio.Task[Value]] = {}
        self._next: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key) -> Value:
        """The answer; raises what asking raised."""
        pending = self._next.get(key)
        if pending is None:
            pending = self._next[key] = asyncio.create_task(self._ask_after(key, self._asked.get(key)))
        return await asyncio.shield(pending)

    async def _ask_after(self, key: Key, asked: "asyncio.Task[Value] | None") -> Value:
        if asked is not None:
            await asyncio.wait([asked])
        mine = self._asked[key] = self._next.pop(key)
        try:
            return await self._ask(key)
        finally:
            if self._asked.get(key) is mine:
                del self._asked[key]
