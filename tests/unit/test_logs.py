"""Logs are one JSON object a line, ours and everybody else's. In a process of its own: logging is global."""

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
import logging, structlog
from meditron_operator import logs
ours = structlog.get_logger("meditron_operator.x")
logs.configure({level!r})
ref = {{"kind": "MeditronDeployment", "namespace": "clinical-ai", "name": "ward", "uid": "u"}}
{body}
"""


def logged(body: str, level: str = "info") -> list[dict[str, Any]]:
    program = PROGRAM.format(level=level, body=body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert not done.stdout
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_our_own_lines() -> None:
    (line,) = logged('ours.info("children written", namespace="clinical-ai", name="ward", writes=3)')
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "children written",
        "level": "info",
        "logger": "meditron_operator.x",
        "namespace": "clinical-ai",
        "name": "ward",
        "writes": 3,
    }


def test_everybody_elses_lines() -> None:
    (line,) = logged('logging.getLogger("aiohttp").warning("%s of %d", "one", 2)')
    assert (line["event"], line["level"], line["logger"]) == ("one of 2", "warning", "aiohttp")
    assert line["timestamp"].endswith("Z")


def test_kopfs_records_name_their_object() -> None:
    (line,) = logged('logging.getLogger("kopf.objects").error("failed", extra={"k8s_ref": ref, "settings": object()})')
    assert (line["kind"], line["namespace"], line["name"]) == ("MeditronDeployment", "clinical-ai", "ward")
    assert not {"k8s_ref", "settings", "uid"} & line.keys()


def test_an_exception_stays_on_its_line() -> None:
    fail = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    "
    for body in ('ours.exception("pass crashed", key=("a", "b"))', 'logging.getLogger("k").exception("crashed")'):
        (line,) = logged(fail + body)
        assert "ZeroDivisionError" in line["exception"]
        assert line["level"] == "error"


def test_what_json_does_not_know_is_text() -> None:
    (line,) = logged('ours.info("x", path=__import__("pathlib").Path("/a"), lines="a\\nb")')
    assert (line["path"], line["lines"]) == ("/a", "a\nb")


def test_levels() -> None:
    body = 'ours.debug("d"); ours.info("i"); ours.warning("w"); logging.getLogger("kopf.objects").info("noise")'
    assert [line["event"] for line in logged(body)] == ["i", "w"]
    assert [line["event"] for line in logged(body, "debug")] == ["d", "i", "w"]
    assert [line["event"] for line in logged(body, "error")] == []
