"""The real Helm, as the cluster's administrator."""

import subprocess

from tests.testbed.bed import Testbed
from tests.testbed.errors import TestbedError
from tests.testbed.install import NAMESPACE
from tests.testbed.programs import find

_LIMIT_SECONDS = 120


def helm(bed: Testbed, *arguments: str, namespace: str = NAMESPACE) -> str:
    """Run Helm; returns what it prints. Raises TestbedError with its words when it fails."""
    command = [str(find("helm")), "--kubeconfig", str(bed.kubeconfig), "--namespace", namespace, *arguments]
    # What it remembers stays in the testbed's folder.
    env = {"HOME": str(bed.directory), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_SECONDS, env=env)
    if done.returncode != 0:
        raise TestbedError(f"helm {arguments[0]} failed: {(done.stdout + done.stderr).strip()}")
    return done.stdout
