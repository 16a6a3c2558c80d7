"""What text-generation-inference 3.3.7 says while it starts, line by line.

Its capacity is nowhere else: /info has no such field, and the gauge for it is set before the metrics recorder exists
(router/src/server.rs). Only lines from before the first request are looked at; what a request says is a patient's data.
"""

import json
import re
from dataclasses import replace
from typing import Final

from meditron_operator.core.engines.base import LogHead

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The router takes the least over its shards (backends/v3/src/lib.rs). Anchored: the message is all that is left of
# the line, so a line that quotes it says nothing.
_CAPACITY: Final = re.compile(r"Setting max batch total tokens to ([0-9]{1,12})")
_SERVING: Final = "Connected"  # the router listens: the next lines are about requests
# Time, level, target and perhaps file and line, each followed by `: `, as the text form writes them.
_PREFIX: Final = re.compile(r"\S+\s+INFO\s+(?:[\w{}=\"./-]+:\s)*?text_generation_router\S*:\s(?:\S+:[0-9]+:\s)?")


def read_line(head: LogHead, line: str) -> LogHead:
    """What is known after one more complete line."""
    message = _message(_COLOURS.sub("", line).strip())
    if message == _SERVING:
        return replace(head, complete=True)
    capacity = _CAPACITY.fullmatch(message)
    if capacity is None or int(capacity[1]) == 0:
        return head
    return replace(head, kv_capacity_tokens=int(capacity[1]))


def _message(line: str) -> str:
    """The message of a line of the router, in either form; nothing for all other lines."""
    if line.startswith("{"):
        return _json_message(line)
    prefix = _PREFIX.match(line)
    return line[prefix.end() :] if prefix else ""


def _json_message(line: str) -> str:
    try:
        entry = json.loads(line)
        message = entry.get("message") or entry.get("fields", {}).get("message")
        ours = str(entry.get("target", "")).startswith("text_generation_router")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return message if ours and isinstance(message, str) else ""
