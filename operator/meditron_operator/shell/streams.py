"""What the API server streams: lines of any length, and the events of a watch."""

from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import orjson

from meditron_operator.core.live import Manifest

MAX_LINE_BYTES: Final = 8 * 2**20
"""One watch event is one line; etcd's limit for an object is 1.5 MiB."""


async def lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Complete lines of any length up to the limit; aiohttp's own iterator refuses long ones. ValueError beyond it."""
    buffer = bytearray()
    async for chunk in stream.iter_any():
        buffer += chunk
        *complete, rest = buffer.split(b"\n")
        for line in complete:
            if line:
                yield bytes(line)
        buffer = bytearray(rest)
        if len(buffer) > MAX_LINE_BYTES:
            raise ValueError(f"an event of more than {MAX_LINE_BYTES} bytes")


def event(line: bytes) -> tuple[str, Manifest]:
    """A line that is no event, of a proxy for instance, raises LookupError, TypeError or ValueError."""
    found = orjson.loads(line)
    kind, obj = found["type"], found["object"]
    if kind != "ERROR":
        int(obj["metadata"]["resourceVersion"])
    elif not isinstance(obj, dict):
        raise TypeError("an error without a Status")
    return kind, obj


def require_object(item: Manifest) -> None:
    """An item of a list that is no object raises LookupError, TypeError or ValueError."""
    int(item["metadata"]["resourceVersion"])
    str(item["metadata"]["name"])
