"""Carries out a walkthrough of docs/ as it is written.

A block ```` ```sh ```` is what the reader types, all in one shell; a block ```` ```text ```` right after it is what the
reader then sees. A line shown there must come, in that order and with any width of the gaps; `…` stands for anything,
and a line with nothing else for any number of lines.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.testbed.layout import REPOSITORY
from tests.testbed.programs import find

_BLOCK: Final = re.compile(r"^```(?P<kind>sh|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_TOOLS: Final = ("kubectl", "helm")
_LIMIT_SECONDS: Final = 180
_SHELL: Final = 'set -euo pipefail; . "$STATE"; {}\nexport -p > "$STATE"'
"""What one block exports, the next one has."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the reader types, and what it is said to show."""

    commands: str
    shown: str | None


class StepError(AssertionError):
    """A step does not do what the document says."""


def section(document: str, heading: str) -> str:
    """The part of a Markdown file under that heading, its sub-headings included. Raises ValueError without it."""
    lines = document.splitlines(keepends=True)
    begin = next((number for number, line in enumerate(lines) if line.strip() == heading), None)
    if begin is None:
        raise ValueError(f"no heading {heading!r}")
    level = len(heading) - len(heading.lstrip("#"))
    ends = re.compile(rf"#{{1,{level}}} ")
    end = next((number for number in range(begin + 1, len(lines)) if ends.match(lines[number])), len(lines))
    return "".join(lines[begin:end])


def steps(text: str) -> Iterator[Step]:
    """The steps of a Markdown text, in their order."""
    blocks = list(_BLOCK.finditer(text))
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block["kind"] != "sh":
            continue
        answered = (
            following is not None and following["kind"] == "text" and not text[block.end() : following.start()].strip()
        )
        yield Step(block["body"], following["body"] if following is not None and answered else None)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a shell in the repository's folder, kubectl, Helm, `meditron`, and a kubeconfig."""

    kubeconfig: Path
    home: Path
    """An empty folder, for what the tools remember, and with links to the repository's files."""

    def follow(self, text: str, after: Callable[[Step], None] = lambda _: None) -> None:
        """Carry out every step; `after` each comes what a simulated cluster does not do by itself. Raises StepError."""
        for step in steps(text):
            print(self.type(step))
            after(step)

    def type(self, step: Step) -> str:
        """Carry one step out; returns its output."""
        state, folder = self.home / "state", self.home / "repository"
        if not folder.exists():  # what a step writes there does not end in the repository itself
            state.touch()
            folder.mkdir()
            for entry in REPOSITORY.iterdir():
                (folder / entry.name).symlink_to(entry)
        done = subprocess.run(
            ["/bin/bash", "-c", _SHELL.format(step.commands)],
            cwd=folder, env=self._environment(state), text=True, timeout=_LIMIT_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise StepError(f"exit code {done.returncode}:\n{step.commands}\n{done.stdout}")
        if step.shown is not None and not shows(done.stdout, step.shown):
            raise StepError(f"{step.commands}\nshows\n{done.stdout}\ninstead of\n{step.shown}")
        return done.stdout

    def _environment(self, state: Path) -> dict[str, str]:
        folders = [str(find(tool).parent) for tool in _TOOLS] + [str(Path(sys.executable).parent), os.defpath]
        return {
            "PATH": os.pathsep.join(folders),
            "HOME": str(self.home),
            "KUBECONFIG": str(self.kubeconfig),
            "STATE": str(state),
            "COLUMNS": "120",
        }


def shows(output: str, shown: str) -> bool:
    """Whether the output is what the document shows of it."""
    return re.search("".join(map(_line_pattern, shown.splitlines())), _narrow(output), re.MULTILINE) is not None


def _narrow(text: str) -> str:
    """Gaps one space wide; every line ends."""
    return "".join(f"{' '.join(line.split())}\n" for line in text.splitlines())


def _line_pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:.*\n)*?"
    words = re.escape(" ".join(line.split())).replace("…", ".*")
    return rf"^{words}\n"
