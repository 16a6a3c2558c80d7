"""`python -m tests.bench.kill.simulated FILE`: the part with simulated nodes, written to a file as JSON.

Run it where nothing but the loopback is (`alone`): the guard asks the addresses of a thousand Services whether anybody
answers, and somebody between here and the world might.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.bench.kill.clocks import cuts, zeros
from tests.bench.kill.scenes import Bench, Series, Tell
from tests.cluster.support import Admin
from tests.testbed import Testbed
from tests.testbed.commands import Program
from tests.testbed.controlplane import leads_out

STOPS: Final = 100
FEWER: Final = 20
STORM, LARGE_STORM = 300, 1_000
GUARD, PLAIN = "guard", "handler inside a plain Kopf operator"


@dataclass(frozen=True, slots=True)
class Simulated:
    """All series. `storm` and `plain_storm` are the same situation with and without the guard."""

    idle: Series
    hung: Series
    storm: Series
    large_storm: Series
    plain_idle: Series
    plain_storm: Series


def alone(scratch: Path) -> Simulated:
    """Run this module in a network namespace of its own; needs root. Its progress goes to stderr."""
    file = scratch / "simulated.json"
    up = 'ip link set lo up; exec "$@"'
    module = (sys.executable, "-m", "tests.bench.kill.simulated", str(file))
    subprocess.run(("/usr/bin/env", "unshare", "--net", "sh", "-c", up, "sh", *module), check=True)
    return Simulated(**{name: Series(**series) for name, series in json.loads(file.read_text()).items()})


def measure(bed: Testbed, tell: Tell) -> Simulated:
    """One situation after the other; the guard's first, then the plain operator's."""
    admin = Admin(bed.kubeconfig)
    with zeros(admin) as at_zero, cuts(admin) as cut:
        bench = Bench(bed.kubeconfig, at_zero, cut, tell)
        idle = bench.stops(GUARD, "idle", bench.targets("idle", STOPS))
        targets = bench.targets("hung", STOPS)
        with bed.hung("operator"):
            hung = bench.stops(GUARD, "while the operator is hung (SIGSTOP)", targets)
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
    return Simulated(idle, hung, storm, large, plain_idle, plain)


def plain_operator(kubeconfig: Path) -> Program:
    """With admin's rights: it is measured, not trusted."""
    argv = (sys.executable, "-m", "tests.bench.kill.baseline")
    return Program(name="plain-operator", argv=argv, env={**os.environ, "KUBECONFIG": str(kubeconfig)})


def main() -> int:
    if leads_out():
        print("run it in a network namespace of its own: make bench-kill does", file=sys.stderr)
        return 2
    began, console = time.monotonic(), Console(stderr=True)

    def tell(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {text}", highlight=False)

    with (
        tempfile.TemporaryDirectory(prefix="bench-kill-") as folder,
        Testbed.start(Path(folder) / "bed", nodes="L4:1:1", operator=True, guards=2, progress=tell) as bed,
    ):
        Path(sys.argv[1]).write_text(json.dumps(asdict(measure(bed, tell))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
