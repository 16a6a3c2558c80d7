"""`python -m tests.testbed.node.enter network|node PID CGROUP PROGRAM ARGUMENT…`: PROGRAM in a node's namespaces.

`network`: become PROGRAM, only the network is the node's. `node`: PROGRAM is a child of this process, because
only children can be in another process namespace; it also sees the node's files, and is in its cgroup. It gets
this process's SIGTERM and dies with it; this process ends as it ends.
"""

import os
import signal
import sys
from pathlib import Path

from tests.testbed.node import cgroups, kernel


def main(how: str, pid: str, cgroup: Path, argv: list[str]) -> int:
    namespaces = Path("/proc") / pid / "ns"
    if how == "network":
        kernel.enter(namespaces / "net")
        os.execv(argv[0], argv)  # noqa: S606
    # Until the child is there to get it, SIGTERM waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    kernel.enter(namespaces / "pid")
    child = os.fork()
    if child == 0:
        try:
            _become(argv, namespaces, cgroup)
        except OSError as problem:
            print(f"{argv[0]}: {problem}", file=sys.stderr, flush=True)
        finally:
            os._exit(127)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _become(argv: list[str], namespaces: Path, cgroup: Path) -> None:
    kernel.die_with_parent()
    cgroups.join(cgroup)
    kernel.enter(namespaces / "net")
    kernel.enter(namespaces / "mnt")
    os.chdir("/")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.execv(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:]))
