"""Python tools that can't share our environment, since they ask for other versions of what we need."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.testbed.build import Command
from tests.testbed.instances import cache_folder

_LIMIT_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class PythonTools:
    """Packages of a lock file, in a folder of their own."""

    name: str
    lock: Path
    usual: str

    @property
    def version(self) -> str:
        return hashlib.sha256(sys.version.encode() + self.lock.read_bytes()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        return cache_folder() / f"{self.name}-{self.version}"

    def steps(self, scratch: Path, result: Path) -> Iterator[Command]:
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
        yield Command((*pip, "--target", str(result), "-r", str(self.lock)), cwd=scratch)


CHECKS: Final = PythonTools("checks", Path(__file__).with_name("checks.lock"), usual="1 minute")
"""checkov and kubernetes-validate: `uv pip compile --universal --generate-hashes` of these two."""

BILL: Final = PythonTools("bill", Path(__file__).with_name("sbom.lock"), usual="20 seconds")
"""cyclonedx-bom, locked in the same way."""


def run_module(
    folder: Path, module: str, *arguments: str, cwd: Path, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """`python -m module` with the packages of that folder, and `text` as its standard input."""
    env = {"PATH": os.defpath, "HOME": str(cwd), "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd, env=env, input=text, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False,
    )  # fmt: skip
