"""The node's own part of every cgroup hierarchy: made at its start, emptied and removed at its end.

Its name is the testbed's, so what a dead one left is found without anything that it wrote.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.errors import TestbedError

_MOUNTS = Path("/proc/self/mounts")
_NEEDED = frozenset({"cpu", "cpuacct", "cpuset", "memory"})  # kubelet's, where cgroups are of version 1
_END_LIMIT_SECONDS = 20.0
_RETRY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted hierarchy of control groups."""

    path: Path
    unified: bool
    """Version 2. Beside hierarchies of version 1 it usually has no controllers."""
    controllers: frozenset[str]


def hierarchies() -> list[Hierarchy]:
    """All that are mounted, each once."""
    found = {}
    for line in _MOUNTS.read_text().splitlines():
        _, path, kind, options, *_ = line.split()
        if kind in {"cgroup", "cgroup2"}:
            found[path] = _hierarchy(Path(path), kind == "cgroup2", options)
    return list(found.values())


def _hierarchy(path: Path, unified: bool, options: str) -> Hierarchy:
    names = (path / "cgroup.controllers").read_text().split() if unified else options.split(",")
    return Hierarchy(path, unified, frozenset(names))


def version_1() -> bool:
    """Whether kubelet will find cgroups of version 1."""
    return any("memory" in each.controllers and not each.unified for each in hierarchies())


def lacking() -> str | None:
    """What this machine's cgroups lack for a kubelet, or None."""
    mounted = hierarchies()
    controllers: set[str] = set().union(*(each.controllers for each in mounted))
    needed = _NEEDED if version_1() else _NEEDED - {"cpuacct"}
    if not needed <= controllers:
        return f"the cgroup controllers {', '.join(sorted(needed - controllers))}"
    read_only = [str(each.path) for each in mounted if not os.access(each.path, os.W_OK)]
    return f"the right to write to {read_only[0]}" if read_only else None


def name_of(testbed: str) -> str:
    """The cgroup of a testbed, by the testbed's identity."""
    return f"meditron-testbed-{testbed}"


def create(name: str) -> None:
    """Make the cgroup in every hierarchy."""
    for hierarchy in hierarchies():
        folder = hierarchy.path / name
        folder.mkdir()
        if "cpuset" in hierarchy.controllers and not hierarchy.unified:
            for setting in ("cpuset.cpus", "cpuset.mems"):  # a new one has neither and takes no process
                (folder / setting).write_text((hierarchy.path / setting).read_text())


def tracking_folder(name: str) -> Path:
    """The cgroup that holds the node's own processes, so that all of them can be found.

    Below the node's cgroup, since in version 2 one with controllers for its children takes no process. In one
    hierarchy only: in the others they count where their starter does.
    """
    candidates = sorted(hierarchies(), key=lambda each: (not each.unified, "pids" not in each.controllers))
    if not candidates:
        raise TestbedError("no cgroups are mounted")
    return candidates[0].path / name / "system"


def join(folder: Path) -> None:
    """Put this process, and so whatever it starts, into the cgroup."""
    folder.mkdir(exist_ok=True)
    (folder / "cgroup.procs").write_text("0")


def remove(name: str) -> None:
    """End all processes in the cgroup and remove it everywhere; no error when there is none.

    Raises TestbedError when one of its processes doesn't end.
    """
    deadline = time.monotonic() + _END_LIMIT_SECONDS
    for hierarchy in hierarchies():
        while not _try_remove(hierarchy.path / name):
            if time.monotonic() > deadline:
                raise TestbedError(f"{hierarchy.path / name} can't be removed: its processes don't end")
            time.sleep(_RETRY_SECONDS)


def _try_remove(folder: Path) -> bool:
    for cgroup in _deepest_first(folder):
        for pid in _processes(cgroup):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):  # it has processes or children yet, or somebody else was faster
            cgroup.rmdir()
    return not folder.exists()


def _deepest_first(folder: Path) -> Iterator[Path]:
    for path, _, _ in os.walk(folder, topdown=False):
        yield Path(path)


def _processes(cgroup: Path) -> list[int]:
    """Of other process namespaces too: those that this one can't name read as 0."""
    try:
        numbers = (int(line) for line in (cgroup / "cgroup.procs").read_text().split())
        return [number for number in numbers if number > 0]
    except OSError:
        return []
