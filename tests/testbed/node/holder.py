"""`python -m tests.testbed.node.holder FOLDER CGROUP READY_FILE`: makes a node's namespaces and keeps them.

A process namespace ends with its first process, and the kernel then kills all others in it: containers and
their shims too, which are nobody's children and outlive a killed containerd. So the first one is a child of
this program, dies with it as this one dies with the supervisor, and only waits. The network and mount
namespaces go when their last process is gone, and with them every mount, interface, route and rule.
"""

import os
import signal
import sys
import traceback
from pathlib import Path

from tests.testbed.node import cgroups, kernel
from tests.testbed.node.machine import make_mounts, shield_sysctls
from tests.testbed.node.network import make_network


def main(folder: Path, cgroup: str, ready_file: Path) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    cgroups.create(cgroup)
    kernel.unshare(kernel.NEW_PROCESSES)
    reader, writer = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(reader)
        _be_first(folder, cgroups.tracking_folder(cgroup), writer)
    os.close(writer)
    if os.read(reader, 1) == b"":
        _, status = os.waitpid(first, 0)
        return os.waitstatus_to_exitcode(status) or 1
    draft = ready_file.with_suffix(".draft")
    draft.write_text(f"{os.getpid()} {first}")
    draft.rename(ready_file)
    os.waitpid(first, 0)
    return 1


def _be_first(folder: Path, cgroup: Path, ready: int) -> None:
    """Never returns."""
    try:
        kernel.die_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        cgroups.join(cgroup)
        kernel.unshare(kernel.NEW_NETWORK | kernel.NEW_MOUNTS)
        make_mounts(folder, cgroup.parent)
        shield_sysctls()
        make_network()
        os.write(ready, b".")
        _reap_for_ever()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)  # not up the parent's stack


def _reap_for_ever() -> None:
    """Whatever loses its parent in this namespace becomes a child of this process."""
    # Blocked, not handled: a signal that comes while nothing waits for it would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            continue


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
