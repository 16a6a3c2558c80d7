"""Another guard of the testbed, which reaches the API server by another way."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.testbed import Testbed, commands
from tests.testbed.layout import Layout, Ports


def account(bed: Testbed) -> Path:
    """The kubeconfig of the guard's service account."""
    return Layout(bed.directory).component_kubeconfig("meditron-guard")


@contextmanager
def guard_by_way_of(bed: Testbed, kubeconfig: Path, name: str) -> Iterator[str]:
    """Yields its name as a program of the testbed; it has the port of the second guard, which must not run."""
    env = {**os.environ, "KUBECONFIG": str(kubeconfig), "TMPDIR": str(bed.directory)}
    bed.run(replace(commands.guard(Ports.load(Layout(bed.directory)), env, 2), name=name))
    try:
        yield name
    finally:
        bed.kill(name)
