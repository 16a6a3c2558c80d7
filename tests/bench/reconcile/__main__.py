"""`make bench`: measure, print and file the figures; exit code 1 when a goal is missed."""

import argparse
import sys
import time

from rich.console import Console

from tests.bench.reconcile import report
from tests.bench.reconcile.contenders import ALL
from tests.bench.reconcile.scenes import measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reconcile", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="deployments that are created at once")
    given = parser.parse_args()
    began, console = time.monotonic(), Console(stderr=True)

    def tell(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {text}", highlight=False)

    text, missed = report.report([measure(contender, given.count, tell) for contender in ALL])
    report.FILE.write_text(text)
    print(text)
    for goal in missed:
        console.print(f"missed: {goal}", style="red")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
