"""`make bench-kill`: measure, print and file the figures; exit code 1 when a goal is missed. Needs root on Linux."""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.bench.kill import node, report, simulated
from tests.testbed.node import requirements

BATCHES = 4
"""Of stops on a real node, each of node.BATCH."""


def main() -> int:
    """A real node with each network plugin first: it asks most of the machine. Then simulated ones."""
    began, console = time.monotonic(), Console(stderr=True)
    if missing := requirements.lacking(cilium=True):
        console.print(f"no real node can run here; missing: {'; '.join(missing)}", style="red")
        return 2

    def tell(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {text}", highlight=False)

    figures = []
    for cilium in (True, False):
        with tempfile.TemporaryDirectory(prefix="bench-kill-") as folder:
            figures += node.measure(Path(folder), BATCHES, tell, cilium=cilium)
    with tempfile.TemporaryDirectory(prefix="bench-kill-") as folder:
        found = simulated.alone(Path(folder))
    text, missed = report.report(found, figures)
    report.FILE.write_text(text)
    print(text)
    for goal in missed:
        console.print(f"missed: {goal}", style="red")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
