"""`python exec_child.py SUPERVISOR_PID PROGRAM ARGUMENT…`: become PROGRAM, and die with the supervisor.

The kernel sends SIGKILL when the thread that started this process ends, however it ends (prctl(2),
PR_SET_PDEATHSIG); the setting outlives exec. A script of its own, because code between fork and exec
(`preexec_fn`) is unsafe beside threads. Runs without the site packages, so it starts in milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(supervisor: int, argv: list[str]) -> None:
    """Never returns."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != supervisor:
        sys.exit("the supervisor ended before its program began")
    os.execv(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
