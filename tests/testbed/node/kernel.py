"""The few system calls that Python 3.11 has no function for. Linux."""

import ctypes
import os
import signal
from pathlib import Path
from typing import Final

NEW_MOUNTS: Final = 0x0002_0000
NEW_PROCESSES: Final = 0x2000_0000
NEW_NETWORK: Final = 0x4000_0000

BIND: Final = 0x1000
MOVE: Final = 0x2000
RECURSIVE: Final = 0x4000
PRIVATE: Final = 0x4_0000
SHARED: Final = 0x10_0000

_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(namespaces: int) -> None:
    """Leave the machine's namespaces for new ones. A new process namespace is only the children's."""
    _check(_libc.unshare(namespaces), "unshare")


def enter(namespace: Path) -> None:
    """Go into a namespace, given as a file of /proc/PID/ns. A process namespace is only the children's."""
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        _check(_libc.setns(descriptor, 0), str(namespace))
    finally:
        os.close(descriptor)


def mount(source: str, target: str, kind: str | None = None, flags: int = 0) -> None:
    """mount(2)."""
    file_system = kind.encode() if kind else None
    _check(_libc.mount(source.encode(), target.encode(), file_system, ctypes.c_ulong(flags), None), target)


def die_with_parent() -> None:
    """Have the kernel send this process SIGKILL when the thread that forked it ends."""
    _check(_libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
