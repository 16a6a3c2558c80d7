"""What a process has used, as the kernel tells."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS: Final = 0.25
_IDLE_SHARE: Final = 0.04
_LIMIT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Process:
    """A running process."""

    pid: int

    @property
    def cpu_seconds(self) -> float:
        """User and system time since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def resident_mib(self) -> float:
        """Resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        kib = next(line.split()[1] for line in lines if line.startswith("VmRSS:"))
        return int(kib) / 1024

    def wait_idle(self) -> float:
        """Until it has hardly used the processor for a second; the `time.monotonic()` at which it last did."""
        end, last_busy, used = time.monotonic() + _LIMIT_SECONDS, time.monotonic(), self.cpu_seconds
        while time.monotonic() < end:
            time.sleep(_SAMPLE_SECONDS)
            now, more = time.monotonic(), self.cpu_seconds
            if more - used > _IDLE_SHARE * _SAMPLE_SECONDS:
                last_busy = now
            elif now - last_busy >= 1:
                return last_busy
            used = more
        raise TimeoutError(f"process {self.pid} is not idle after {_LIMIT_SECONDS:.0f} s")
