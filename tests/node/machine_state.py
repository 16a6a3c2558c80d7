"""What a testbed could change of the machine, written down to be compared."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from tests.testbed.node.cgroups import hierarchies
from tests.testbed.programs import find

_VOLATILE = re.compile(
    r"/proc/sys/(kernel/random/.*|kernel/ns_last_pid|kernel/pty/nr|fs/(dentry|inode)-.*|fs/.*-nr|fs/quota/.*|"
    r"net/netfilter/nf_conntrack_count|fs/binfmt_misc/.*|kernel/(sched|perf)_.*|vm/stat_.*)"
)
_FOLDERS = tuple(map(Path, ("/etc", "/opt", "/run", "/usr/libexec", "/var/lib", "/var/log")))
_IP_QUESTIONS = ("-o link", "-o address", "rule", "route show table all", "netns list")


@dataclass(frozen=True, slots=True)
class MachineState:
    """Each as a set of lines, so that a difference can be read."""

    sysctls: frozenset[str]
    mounts: frozenset[str]
    network: frozenset[str]
    packet_filters: frozenset[str]
    folders: frozenset[str]
    cgroups: frozenset[str]

    @classmethod
    def now(cls) -> "MachineState":
        return cls(
            frozenset(_sysctls()),
            frozenset(_mounts()),
            frozenset(_network()),
            frozenset(_packet_filters()),
            frozenset(_folders()),
            frozenset(_cgroups()),
        )

    def changes(self, later: "MachineState") -> list[str]:
        """One line for each, as in a diff; none when both are the same."""
        parts = [(getattr(self, part.name), getattr(later, part.name)) for part in fields(self)]
        gone = sorted(f"- {line}" for before, after in parts for line in before - after)
        return gone + sorted(f"+ {line}" for before, after in parts for line in after - before)


def _sysctls() -> Iterator[str]:
    for path in Path("/proc/sys").rglob("*"):
        if _VOLATILE.fullmatch(str(path)) or not path.is_file():
            continue
        try:
            yield f"{path} = {path.read_text(errors='replace').strip()}"
        except OSError:
            continue


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        yield line.split(" ", 2)[2]  # without the mount's and its parent's number


def _network() -> Iterator[str]:
    for question in _IP_QUESTIONS:
        done = subprocess.run([str(shutil.which("ip")), *question.split()], capture_output=True, text=True, check=True)
        yield from done.stdout.splitlines()


def _packet_filters() -> Iterator[str]:
    done = subprocess.run([find("nft"), "list", "ruleset"], capture_output=True, text=True, check=True)
    yield from done.stdout.splitlines()
    for names in Path("/proc/net").glob("*_tables_names"):
        yield f"{names}: {names.read_text().split()}"


def _folders() -> Iterator[str]:
    for folder in _FOLDERS:
        if folder.is_dir():
            yield from map(str, folder.iterdir())


def _cgroups() -> Iterator[str]:
    """The highest of each hierarchy: others come and go. Without those of testbeds, which may run beside this one."""
    for hierarchy in hierarchies():
        for path in hierarchy.path.iterdir():
            if path.is_dir() and not path.name.startswith("meditron-testbed-"):
                yield str(path)


def namespaces_of(pid: int) -> frozenset[str]:
    """The namespaces of a process that are not this one's."""
    return _namespaces(Path(f"/proc/{pid}")) - _namespaces(Path("/proc/self"))


def processes_in(namespaces: frozenset[str]) -> list[int]:
    """Everything on this machine that is in one of these namespaces."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_in(entry, namespaces)]


def _is_in(process: Path, namespaces: frozenset[str]) -> bool:
    try:
        return not namespaces.isdisjoint(_namespaces(process))
    except OSError:  # it ended meanwhile, or is about to
        return False


def _namespaces(process: Path) -> frozenset[str]:
    return frozenset(str(entry.readlink()) for entry in (process / "ns").iterdir())
