"""Colours and glyphs: on a terminal that wants them, and nowhere else."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.running import PROGRAM

WORDS = ["plan", "-m", "meditron-7b", "--gpu", "L4"]


def on_terminal(**environment: str) -> str:
    """What a terminal of 100 columns gets to see."""
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "COLUMNS": "100", "TERM": "xterm-256color"} | environment
    with subprocess.Popen([PROGRAM, *WORDS], stdout=theirs, stderr=theirs, env=env) as process:  # noqa: S603
        os.close(theirs)
        seen = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            seen += chunk
        assert process.wait(timeout=30) == 0
    os.close(ours)
    return seen.decode()


def _unstyled(seen: str) -> str:
    """Bold is no colour, and stays."""
    return re.sub(r"\x1b\[[0-9;]*m", "", seen)


def test_a_terminal_gets_colours_and_blocks() -> None:
    seen = on_terminal()
    assert "\x1b[" in seen
    assert "█" in seen


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_they_are_not_wanted(environment: dict[str, str]) -> None:
    seen = on_terminal(**environment)
    assert not re.search(r"\x1b\[3[0-7]m", seen)
    assert "Fits: 1 x L4" in _unstyled(seen)


def test_letters_where_blocks_can_not_be_shown() -> None:
    seen = on_terminal(LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii:replace")
    assert "█" not in seen
    assert "[WWWW" in _unstyled(seen)


def test_a_file_gets_plain_unbroken_text(tmp_path: Path) -> None:
    with (tmp_path / "answer").open("w") as file:
        subprocess.run([PROGRAM, *WORDS], stdout=file, check=True)  # noqa: S603
    text = (tmp_path / "answer").read_text()
    assert text.isascii()
    assert any(len(line) > 100 for line in text.splitlines())
