"""What a node sees of the machine's files and settings: its own where it would otherwise change the machine's."""

import contextlib
import shutil
from pathlib import Path

from tests.testbed.node import kernel

HIDDEN = (Path("/run"), Path("/var/lib"), Path("/var/log"))
"""Where node programs write to fixed places. The node has empty ones of its own."""

KUBELET_ROOT = Path("/var/lib/kubelet")
CONTAINERD_ROOT = Path("/var/lib/containerd")
RESOLVER = "resolv.conf"
RUN = Path("/run/meditron-testbed")
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = RUN / "cgroup"
BPF = Path("/sys/fs/bpf")

_SYSCTLS = Path("/proc/sys")
_PER_NETWORK = frozenset({"net", "user"})
"""Settings that belong to the namespace already, or that nothing here writes."""


def make_mounts(folder: Path, cgroup: Path) -> None:
    """In a new mount, network and process namespace: the node's own /proc, /sys, cgroup and state folders.

    What containerd unpacks is thousands of files. In memory they are gone with the namespace, not one by one.
    """
    kernel.mount("none", "/", flags=kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("proc", "/proc", "proc")
    _mount_sys(folder)
    for hidden in HIDDEN:
        kernel.mount("tmpfs", str(hidden), "tmpfs")
    for place in (RUN, KUBELET_ROOT, CONTAINERD_ROOT):
        place.mkdir()
    _replace_resolver(folder / RESOLVER)
    # As a mount: over a plain folder Cilium mounts the whole hierarchy, and containers end up outside.
    OWN_CGROUP.mkdir()
    kernel.mount(str(cgroup), str(OWN_CGROUP), flags=kernel.BIND)
    kernel.mount("none", "/", flags=kernel.RECURSIVE | kernel.SHARED)  # volumes must reach the containers


def _replace_resolver(own: Path) -> None:
    """The machine's name server can't be reached: containerd would wait 20 s for it at every missing image."""
    target = Path("/etc/resolv.conf").resolve()
    if any(target.is_relative_to(hidden) for hidden in HIDDEN):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    if target.exists():
        kernel.mount(str(own), str(target), flags=kernel.BIND)


def _mount_sys(folder: Path) -> None:
    """A /sys that shows this network namespace, with the machine's cgroups in it and an own BPF file system."""
    aside = folder / "cgroups"
    aside.mkdir(exist_ok=True)
    kernel.mount(str(CGROUPS), str(aside), flags=kernel.BIND | kernel.RECURSIVE)
    kernel.mount("sysfs", "/sys", "sysfs")
    kernel.mount(str(aside), str(CGROUPS), flags=kernel.MOVE)
    if BPF.is_dir():
        kernel.mount("bpf", str(BPF), "bpf")


def shield_sysctls() -> None:
    """Put private copies over all settings that are the whole machine's.

    Kubelet sets how the kernel panics and Cilium forbids BPF to users, which only a reboot takes back.
    """
    copies = RUN / "sysctls"
    for folder in sorted(_SYSCTLS.iterdir()):
        if folder.name in _PER_NETWORK or not folder.is_dir():
            continue
        _copy_values(folder, copies / folder.name)
        kernel.mount(str(copies / folder.name), str(folder), flags=kernel.BIND)


def _copy_values(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.is_dir():
            _copy_values(entry, target / entry.name)
            continue
        (target / entry.name).touch()
        with contextlib.suppress(OSError):  # some can only be written
            shutil.copyfile(entry, target / entry.name)
