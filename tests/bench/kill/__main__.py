"""`make bench-kill`: measure, print and file the figures; exit code 1 when a goal is missed.

The part on a real node needs root on Linux.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.bench.kill import node, report
from tests.bench.kill.clocks import cuts, zeros
from tests.bench.kill.report import Result, Tell
from tests.bench.kill.scenes import Bench, Series
from tests.cluster.support import Admin
from tests.testbed import Testbed
from tests.testbed.commands import Program
from tests.testbed.node import requirements

STOPS, FEWER = 100, 20
BATCHES = 4
STORM, LARGE_STORM = 300, 1_000
GUARD, PLAIN = "guard", "handler inside a plain Kopf operator"


def main() -> int:
    """Run all scenes: one testbed with simulated nodes, and one real node with each network plugin."""
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
    with (
        tempfile.TemporaryDirectory(prefix="bench-kill-") as folder,
        Testbed.start(Path(folder) / "bed", nodes="L4:1:1", operator=True, guards=2, progress=tell) as bed,
    ):
        results, storm, plain = _measure(bed, tell)
    text, missed = report.report(results, storm, plain, figures)
    report.FILE.write_text(text)
    print(text)
    for goal in missed:
        console.print(f"missed: {goal}", style="red")
    return 1 if missed else 0


def _measure(bed: Testbed, tell: Tell) -> tuple[list[Result], Series, Series]:
    admin = Admin(bed.kubeconfig)
    with zeros(admin) as at_zero, cuts(admin) as cut:
        bench = Bench(admin, at_zero, cut, tell)
        idle = bench.stops(GUARD, "idle", bench.targets("idle", STOPS))
        targets = bench.targets("hung", STOPS)
        with bed.hung("operator"):
            stuck = bench.stops(GUARD, "while the operator is hung (SIGSTOP)", targets)
        storm, large = (
            bench.storm(GUARD, f"storm-{size}", size, bench.targets(f"in-{size}", STOPS))
            for size in (STORM, LARGE_STORM)
        )
        bed.stop("operator")
        bed.stop("guard")
        bed.stop("guard-2")
        bed.run(plain_operator(bed.kubeconfig))
        plain_idle = bench.stops(PLAIN, "idle", bench.targets("plain", FEWER), cuts=False)
        plain = bench.storm(PLAIN, "plain-storm", STORM, bench.targets("plain-in", FEWER), cuts=False)
    results = [
        Result(idle, 30),
        Result(stuck, 30),
        Result(storm, 200),
        Result(large),
        Result(plain_idle),
        Result(plain),
    ]
    return results, storm, plain


def plain_operator(kubeconfig: Path) -> Program:
    """With admin's rights: it is measured, not trusted."""
    argv = (sys.executable, "-m", "tests.bench.kill.baseline")
    return Program(name="plain-operator", argv=argv, env={**os.environ, "KUBECONFIG": str(kubeconfig)})


if __name__ == "__main__":
    sys.exit(main())
