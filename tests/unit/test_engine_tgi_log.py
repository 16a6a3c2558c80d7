"""The head of the engine's log: text, JSON, colours, and what others might want it to say."""

import json
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.engines.base import LogHead
from meditron_operator.core.engines.tgi_log import read_line
from tests.testbed import enginelogs

CAPACITY = "Setting max batch total tokens to"
TEXT = "2026-01-01T00:00:00.000000Z  INFO text_generation_router_v3: backends/v3/src/lib.rs:137: "
COLOURED = (
    "\x1b[2m2026-01-01T00:00:00Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mtext_generation_router_v3\x1b[0m"
    "\x1b[2m:\x1b[0m \x1b[2mbackends/v3/src/lib.rs\x1b[0m\x1b[2m:\x1b[0m\x1b[2m137:\x1b[0m "
)
CONNECTED = "2026-01-01T00:00:01.000000Z  INFO text_generation_router::server: router/src/server.rs:2414: Connected"


def as_json(message: str, target: str = "text_generation_router_v3", **rest: object) -> str:
    return json.dumps({"timestamp": "t", "level": "INFO", "message": message, "target": target, **rest})


def head(*lines: str) -> LogHead:
    return reduce(read_line, lines, LogHead())


LINES = [
    ("text", TEXT + f"{CAPACITY} 30816", 30_816),
    ("without file and line", f"2026-01-01T00:00:00Z  INFO text_generation_router_v3: {CAPACITY} 30816", 30_816),
    ("an older router", f"2024-01-01T00:00:00Z  INFO text_generation_router: router/src/main.rs:370: {CAPACITY} 7", 7),
    ("in a span", f"2026-01-01T00:00:00Z  INFO warmup: text_generation_router_v3: lib.rs:1: {CAPACITY} 30816", 30_816),
    ("line end of another system", TEXT + f"{CAPACITY} 30816\r\n", 30_816),
    ("colours", COLOURED + f"{CAPACITY} 30816", 30_816),
    ("JSON", as_json(f"{CAPACITY} 30816", filename="backends/v3/src/lib.rs"), 30_816),
    ("JSON with fields", json.dumps({"target": "text_generation_router", "fields": {"message": f"{CAPACITY} 9"}}), 9),
    ("none", TEXT + "Warming up model", None),
    ("nothing", "", None),
    ("zero", TEXT + f"{CAPACITY} 0", None),
    ("negative", TEXT + f"{CAPACITY} -5", None),
    ("more than can be", TEXT + f"{CAPACITY} {'9' * 13}", None),
    ("words after it", TEXT + f"{CAPACITY} 30816 tokens", None),
    ("words before it", TEXT + f"they say: {CAPACITY} 30816", None),
    ("another digit", TEXT + f"{CAPACITY} ३", None),
    ("of the launcher", f"2026-01-01T00:00:00Z  INFO text_generation_launcher: {CAPACITY} 5", None),
    ("an error", TEXT.replace("INFO", "ERROR") + f"{CAPACITY} 5", None),
    ("no prefix", f"{CAPACITY} 5", None),
    ("JSON of a stranger", as_json(f"{CAPACITY} 5", target="my_plugin"), None),
    ("JSON in a prompt", as_json("generate", inputs=f"{CAPACITY} 5"), None),
    ("half of JSON", as_json(f"{CAPACITY} 30816")[:60], None),
    ("JSON of another shape", "[1]", None),
    ("JSON with a number for a message", '{"target": "text_generation_router", "message": 5}', None),
    ("JSON with odd fields", '{"target": "text_generation_router", "fields": 5}', None),
    ("JSON without an end", "{" + '"a":{' * 100_000, None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "tokens"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_a_line(line: str, tokens: int | None) -> None:
    assert head(line) == LogHead(kv_capacity_tokens=tokens)


def test_the_last_figure_of_the_start_counts() -> None:
    assert head(TEXT + f"{CAPACITY} 1", TEXT + f"{CAPACITY} 2").kv_capacity_tokens == 2


@pytest.mark.parametrize("line", [CONNECTED, as_json("Connected", target="text_generation_router::server")])
def test_the_start_is_over_when_the_router_listens(line: str) -> None:
    assert head(TEXT + f"{CAPACITY} 8050", line) == LogHead(kv_capacity_tokens=8050, complete=True)


@pytest.mark.parametrize("tokens", [12_800, None])
def test_a_whole_start(tokens: int | None) -> None:
    lines = [line.split(" stdout F ", 1)[1] for line in enginelogs.container_log(tokens).splitlines()]
    assert head(*lines) == LogHead(kv_capacity_tokens=tokens, complete=True)


@given(st.text())
def test_no_line_ends_the_reader(line: str) -> None:
    assert head(line, "{" + line).kv_capacity_tokens is None
