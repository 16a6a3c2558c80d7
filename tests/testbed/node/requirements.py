"""What a real node needs of the machine. Asked by trying, not by versions."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.testbed.errors import TestbedError
from tests.testbed.instances import cache_folder
from tests.testbed.layout import REPOSITORY
from tests.testbed.node import cgroups, kernel
from tests.testbed.node.machine import HIDDEN
from tests.testbed.node.options import NodeOptions

_PROGRAMS = ("ip", "mount", "umount", "apt-get", "dpkg-deb")
_FILE_SYSTEMS = Path("/proc/filesystems")
_CAP_SYS_RESOURCE = 24
_TRIAL = "import sys; from tests.testbed.node.requirements import trial; sys.exit(trial())"


def lacking(*, cilium: bool = False) -> list[str]:
    """What is missing here, in words; empty when a node can run."""
    if platform.system() != "Linux":
        return ["Linux"]
    if os.geteuid() != 0:
        return ["root"]
    missing = [f"the program {name}" for name in _PROGRAMS if shutil.which(name) is None]
    kinds = _FILE_SYSTEMS.read_text().split()
    needed = ("overlay", "bpf") if cilium else ("overlay",)
    missing += [f"the file system {kind}" for kind in needed if kind not in kinds]
    if cilium and not any(each.unified for each in cgroups.hierarchies()):
        missing.append("cgroups of version 2, beside version 1 or alone")
    missing += [problem] if (problem := cgroups.lacking()) else []
    if not missing and (problem := _try_namespaces()):
        missing.append(problem)
    return missing


def require(directory: Path, options: NodeOptions) -> None:
    """Raise TestbedError, in one line, where such a node can't run."""
    assert options.group, "parsed, so that a mistake in it comes before everything else"
    if missing := lacking(cilium=options.cilium):
        raise TestbedError(f"a real node can't run here; missing: {'; '.join(missing)}")
    for place in (directory, cache_folder()):
        hidden = next((each for each in HIDDEN if place.is_relative_to(each.resolve())), None)
        if hidden:
            raise TestbedError(f"{place} can't be used for a real node, which has an empty {hidden} of its own")


def may_lower_oom_scores() -> bool:
    """Containers often may not, and then neither may containerd for pods."""
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(effective, 16) >> _CAP_SYS_RESOURCE & 1)


def _try_namespaces() -> str | None:
    done = subprocess.run([sys.executable, "-c", _TRIAL], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else " ".join((done.stdout + done.stderr).split()[-30:])


def trial() -> str | None:
    """In a process of its own: make the namespaces and the kinds of interface that a node has."""
    try:
        kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_NETWORK)
    except OSError as refused:
        return f"the right to make namespaces ({refused.strerror})"
    for kind in ("veth", "bridge"):
        command = [str(shutil.which("ip")), "link", "add", "trial", "type", kind]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return f"network interfaces of the kind {kind}"
        subprocess.run([command[0], "link", "delete", "trial"], check=True)
    try:
        kernel.unshare(kernel.NEW_PROCESSES)  # last: its first child would be the one that all others need
    except OSError as refused:
        return f"the right to make a process namespace ({refused.strerror})"
    return None
