"""One text for one content, and its hash: whoever has the record can compute the same, with any tool.

The text is that of RFC 8785 (JSON Canonicalization Scheme) for everything that a record holds.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> bytes:
    """Keys sorted, no blanks, UTF-8, a whole number without a fraction: the API server stores 2.0 as 2."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="surrogatepass")


def spec_hash(spec: Mapping[str, Any]) -> str:
    """Of all that a record says of what was done, but this hash itself."""
    return hashlib.sha256(canonical(_without_hash(spec))).hexdigest()


def status_hash(of_spec: str, status: Mapping[str, Any]) -> str:
    """Of an outcome, bound to its record by that one's own hash."""
    return hashlib.sha256(of_spec.encode(errors="surrogatepass") + canonical(_without_hash(status))).hexdigest()


def _without_hash(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != "hash"}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
