"""Runs the command line as a person does: by its own entry point, with an environment of its own."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from meditron_operator.cli.main import main

PROGRAM = str(Path(sys.executable).with_name("meditron"))


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def refused(self, code: int = 2) -> str:
        """The one line of a command that did nothing; 2: by a user's mistake."""
        assert (self.code, self.out) == (code, ""), self
        (line,) = self.err.splitlines()
        assert line.startswith("meditron: ")
        return line


def _environment(given: dict[str, str]) -> dict[str, str]:
    """Nothing of the caller's gets in but where programs are."""
    return {"PATH": os.environ["PATH"], "HOME": "/nowhere", "LANG": "C.UTF-8"} | given


def meditron(*words: str, stdin: str = "", **environment: str) -> Done:
    """Run `meditron` with these words, in this process."""
    out, err = io.StringIO(), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    with (
        patch.object(sys, "argv", ["meditron", *words]),
        patch.object(sys, "stdin", given),
        patch.dict(os.environ, _environment(environment), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int | None)
    return Done(code or 0, out.getvalue(), err.getvalue())


def process(*words: str, stdin: str = "", **environment: str) -> Done:
    """The same in a process of its own: for what is decided when Python starts."""
    done = subprocess.run(  # noqa: S603 - our own program
        [PROGRAM, *words], input=stdin, capture_output=True, text=True, env=_environment(environment),
        timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)
