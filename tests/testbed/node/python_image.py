"""Images with Python: a root file system out of Debian packages, an environment from the lock file, files."""

import hashlib
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.testbed.build import Command, ensure_built
from tests.testbed.instances import cache_folder
from tests.testbed.layout import REPOSITORY
from tests.testbed.node.debian import Packages, release
from tests.testbed.node.oci import Archive, Image, Layer, digest_of, layer, write_archive

Progress = Callable[[str], None]

SITE = "/opt/site"
"""Where the environment lies in the image, for PYTHONPATH."""

PROJECT = "meditron-operator"
"""This repository's own package: named, it stands for what it needs."""

_LOCK = REPOSITORY / "requirements.lock"
_MERGED = ("bin", "lib", "lib64", "sbin")
_NEEDLESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache")
_USERS = """\
root:x:0:0:root:/root:/usr/sbin/nologin
app:x:10001:10001::/:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUPS = "root:x:0:\napp:x:10001:\nnogroup:x:65534:\n"
_GLIBC_MINORS = range(17, 37)  # of the wheels that run on Debian 12's 2.36


@dataclass(frozen=True, slots=True)
class PythonRoot:
    """Debian's Python and what it needs, without a shell or a package manager's state: a few seconds, 60 MB."""

    name: str = "python-root"
    usual: str = "10 seconds"

    @property
    def version(self) -> str:
        return release()

    @property
    def folder(self) -> Path:
        return cache_folder() / f"{self.name}-{self.version}"

    def steps(self, scratch: Path, result: Path) -> Iterator[Command]:
        root = scratch / "root"
        for name in _MERGED:  # as on every Debian of today; the packages still say /lib
            (root / "usr" / name).mkdir(parents=True)
            (root / name).symlink_to(f"usr/{name}")
        yield from Packages(names=("python3", "base-files"), dependencies=True).unpack(root)
        for path in _NEEDLESS:
            shutil.rmtree(root / path, ignore_errors=True)
        (root / "etc" / "passwd").write_text(_USERS)
        (root / "etc" / "group").write_text(_GROUPS)
        version = (root / "usr" / "bin" / "python3").readlink().name.removeprefix("python")
        library = f"/usr/lib/python{version}"
        yield from compile_all(root / library[1:], library, version)
        (result / "version").write_text(version)
        layer({"/": root}, result / "layer.tar")


@dataclass(frozen=True, slots=True)
class Environment:
    """Installed packages with all that they need, at the versions of the lock file."""

    packages: tuple[str, ...]
    python: str
    usual: str = "20 seconds"
    name: str = "python-site"

    @property
    def version(self) -> str:
        return hashlib.sha256("\n".join((self.python, *locked(self.packages))).encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        return cache_folder() / f"{self.name}-{self.version}"

    def steps(self, scratch: Path, result: Path) -> Iterator[Command]:
        requirements, site = scratch / "requirements.txt", scratch / "site"
        requirements.write_text("\n".join(locked(self.packages)))
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
        platforms = (f"--platform=manylinux_2_{minor}_{platform.machine()}" for minor in _GLIBC_MINORS)
        fixed = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp")
        target = (f"--python-version={self.python}", *platforms, "--target", str(site))
        yield Command((*pip, *fixed, *target, "-r", str(requirements)), cwd=scratch)
        yield from compile_all(site, SITE, self.python)
        layer({SITE: site}, result / "layer.tar")


def locked(packages: tuple[str, ...]) -> list[str]:
    """The lock file's entries of these packages and all that they need, with version and hashes."""
    entries = _lock_entries(_LOCK.read_text())
    return [entries[name] for name in sorted(_closure(packages)) if name != PROJECT]


def compile_all(folder: Path, place: str, version: str) -> Iterator[Command]:
    """Byte code, which a read-only root can't get later. `place`: where the folder lies in the image.

    It holds for the files whatever their times are. Another version's Python can't make it: then there is none.
    """
    if version == ".".join(map(str, sys.version_info[:2])):
        argv = (sys.executable, "-m", "compileall", "-q", "-x", r"/(lib2to3|test|tests)/")
        flags = ("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", place)
        yield Command((*argv, *flags, str(folder)), cwd=folder)


def _lock_entries(text: str) -> dict[str, str]:
    """Package to its lines, with version and hashes."""
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    return {canonicalize_name(re.split(r"[=\[ ]", entry)[0]): entry.rstrip() for entry in entries if entry.strip()}


def _closure(packages: tuple[str, ...]) -> set[str]:
    """The packages and what they need, as this environment's metadata have it."""
    found: set[str] = set()
    todo = [canonicalize_name(package) for package in packages]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                todo.append(canonicalize_name(needed.name))
    return found


@dataclass(frozen=True, slots=True)
class PythonImage:
    """Python with packages and files. Everything is read-only and owned by root; it runs as user 10001."""

    name: str
    entrypoint: tuple[str, ...]
    packages: tuple[str, ...] = ()
    """By their names in the lock file; what they need comes with them."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Path in the image to a file or folder of this machine. `SITE` is on Python's path."""
    env: Mapping[str, str] = field(default_factory=dict)
    working_folder: str = "/"

    def build(self, folder: Path, progress: Progress) -> Archive:
        """The archive, in `folder`; only what is the image's own is made anew."""
        root = ensure_built(PythonRoot(), progress)
        layers = [_cached_layer(root)]
        if self.packages:
            environment = Environment(self.packages, (root / "version").read_text())
            layers.append(_cached_layer(ensure_built(environment, progress)))
        if self.files:
            layers.append(_own_layer(self.files, folder / f"{self.name}.layer"))
        env = {"PYTHONPATH": SITE, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"} | dict(self.env)
        image = Image(self.name, tuple(layers), self.entrypoint, env, working_folder=self.working_folder)
        return write_archive(image, folder / f"{self.name}.tar")


def _own_layer(files: Mapping[str, Path], file: Path) -> Layer:
    """Without the byte code that this machine's Python left beside the files."""
    with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
        content = {}
        for number, (target, source) in enumerate(files.items()):
            content[target] = Path(scratch) / str(number)
            if source.is_dir():
                shutil.copytree(source, content[target], ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, content[target])
        return layer(content, file)


def _cached_layer(folder: Path) -> Layer:
    file = folder / "layer.tar"
    return Layer(file, digest_of(file))
