"""Which testbeds exist, which of them live, and the removal of what dead ones left.

A testbed lives exactly as long as its supervisor holds a file lock, which the kernel gives up however the
process ends: no process id that was reused and no reboot can make a dead one look alive. The lock is held on
two equal records: the marker in the testbed's folder, and one in the user's cache folder, where `status` and
`down --all` find all of them. Only a folder whose marker names the same record is ever deleted.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.testbed.errors import TestbedError
from tests.testbed.node import cgroups

MARKER = ".meditron-testbed"
_END_LIMIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Instance:
    """What a record says."""

    directory: Path
    pid: int
    """The supervisor's; another process may have it by now unless the instance lives."""
    record: Path
    """The record in the cache folder; its name is the instance's identity."""

    @property
    def identity(self) -> str:
        return self.record.stem


def cache_folder() -> Path:
    """Where built programs and records lie: $MEDITRON_TESTBED_CACHE, else the user's cache folder (XDG)."""
    own = os.environ.get("MEDITRON_TESTBED_CACHE")
    if own:
        return Path(own).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "meditron-testbed"


def claim(directory: Path) -> tuple[Instance, list[IO[str]]]:
    """Make the folder this process's testbed. The instance lives while the returned files are open.

    Raises TestbedError when the folder holds anything.
    """
    require_free(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    registry = _registry()
    registry.mkdir(mode=0o700, parents=True, exist_ok=True)
    instance = Instance(directory, os.getpid(), registry / f"{uuid.uuid4().hex}.json")
    record = _write_locked(instance.record, instance)
    try:
        return instance, [record, _write_locked(directory / MARKER, instance)]
    except OSError:
        instance.record.unlink()
        raise


def require_free(directory: Path) -> None:
    """Raise TestbedError unless the folder is empty or does not exist."""
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise TestbedError(f"{directory} is in use: give a folder that is empty or does not exist yet")


def _registry() -> Path:
    return cache_folder() / "instances"


def _write_locked(path: Path, instance: Instance) -> IO[str]:
    """The file appears under its name already locked and complete; FileExistsError when the name is taken."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    file = draft.open("x")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = {"directory": str(instance.directory), "pid": instance.pid, "record": str(instance.record)}
        file.write(json.dumps(content))
        file.flush()
        path.hardlink_to(draft)
    except OSError:
        file.close()
        raise
    finally:
        draft.unlink()
    return file


def _read(file: Path) -> Instance | None:
    try:
        content = json.loads(file.read_text())
        return Instance(Path(content["directory"]), int(content["pid"]), Path(content["record"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def at(directory: Path) -> Instance | None:
    """The testbed whose folder this is, dead or alive."""
    return _read(directory / MARKER)


def living() -> list[Instance]:
    """All testbeds of this user that live."""
    found = (_read(record) for record in _registry().glob("*.json"))
    return sorted((each for each in found if each and is_alive(each)), key=lambda each: each.directory)


def is_alive(instance: Instance) -> bool:
    """Whether the supervisor runs."""
    marker = instance.directory / MARKER
    return _is_locked(instance.record) or (at(instance.directory) == instance and _is_locked(marker))


def _is_locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def sweep() -> list[Path]:
    """Remove what dead testbeds left behind; returns their folders."""
    swept = []
    for record in _registry().glob("*.json"):
        instance = _read(record)
        if instance is None:
            continue
        if not is_alive(instance):
            discard(instance)
            swept.append(instance.directory)
    return swept


def discard(instance: Instance) -> None:
    """Remove a testbed's folder, if it still is its, and its record. Its processes must have ended.

    A real node's may be about to: they are waited for.
    """
    cgroups.remove(cgroups.name_of(instance.identity))
    if at(instance.directory) == instance:
        # Marker last: until then a second attempt still knows the folder for a testbed's.
        with contextlib.suppress(FileNotFoundError):  # another process removes it too
            for entry in instance.directory.iterdir():
                if entry.name != MARKER:
                    _remove(entry)
        shutil.rmtree(instance.directory, ignore_errors=True)
    instance.record.unlink(missing_ok=True)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def end(instance: Instance) -> None:
    """End the testbed and all that belongs to it. Returns once it is gone; no error when it was already."""
    try:
        process = os.pidfd_open(instance.pid)
    except ProcessLookupError:
        discard(instance)
        return
    try:
        # Asked after the process was opened: it lives, so the descriptor is the supervisor and stays it.
        if is_alive(instance):
            _end_process(process)
    finally:
        os.close(process)
    discard(instance)


def _end_process(process: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            signal.pidfd_send_signal(process, number)
        except ProcessLookupError:
            return
        if select.select([process], [], [], _END_LIMIT_SECONDS)[0]:
            return
