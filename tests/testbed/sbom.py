"""`make sbom`: what is in the operator's image beside its base, as a CycloneDX bill of materials."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.testbed.build import ensure_built
from tests.testbed.errors import TestbedError
from tests.testbed.layout import REPOSITORY
from tests.testbed.node.python_image import PROJECT, locked
from tests.testbed.pythontools import BILL, run_module

FILE: Final = REPOSITORY / "dist" / "meditron-operator.cdx.json"


def bill(progress: Callable[[str], None]) -> str:
    """The same text for the same lock file. Raises TestbedError with the tool's own words.

    The packages are those that this Python would install; in one for another platform a few may differ.
    """
    options = ("--pyproject", str(REPOSITORY / "pyproject.toml"), "--output-reproducible", "--validate")
    with tempfile.TemporaryDirectory() as folder:
        done = run_module(
            ensure_built(BILL, progress), "cyclonedx_py", "requirements", *options, "-",
            cwd=Path(folder), text="\n".join(locked((PROJECT,))),
        )  # fmt: skip
    if done.returncode != 0:
        raise TestbedError(f"no bill of materials: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    """Write it, and say where."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(bill(lambda line: print(line, file=sys.stderr)))
    print(FILE)


if __name__ == "__main__":
    main()
