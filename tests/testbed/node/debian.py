"""Debian packages unpacked into the cache, so that nothing is installed on the machine."""

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.build import Command
from tests.testbed.errors import TestbedError
from tests.testbed.instances import cache_folder

_WRAPPER = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu):$here/usr/lib/llvm-19/lib
XTABLES_LIBDIR=$(echo "$here"/usr/lib/*-linux-gnu/xtables)
export LD_LIBRARY_PATH XTABLES_LIBDIR
exec "$here/{program}" "$@"
"""


@dataclass(frozen=True, slots=True)
class Packages:
    """Debian packages of the machine's own release."""

    names: tuple[str, ...]
    dependencies: bool = False
    """Also fetch what they depend on, as if nothing were installed."""

    def unpack(self, target: Path) -> Iterator[Command]:
        """Download with apt and unpack into `target`; no maintainer script runs."""
        state = target.with_name(f"{target.name}.apt")
        for folder in ("archives/partial", "lists/partial"):
            (state / folder).mkdir(parents=True)
        target.mkdir(exist_ok=True)
        apt = _apt(state, self.names)
        # Lists of its own: the machine's may be old or none, and stay as they are.
        yield Command((*apt, "update"), cwd=state)
        if self.dependencies:
            yield Command((*apt, "install", "--yes", "--download-only", *self.names), cwd=state)
        else:
            yield Command((*apt, "download", *self.names), cwd=state / "archives")
        for archive in sorted((state / "archives").glob("*.deb")):
            # tar, since `dpkg-deb --extract` would replace the links of a merged /usr by folders.
            script = 'dpkg-deb --fsys-tarfile "$0" | tar -x --keep-directory-symlink --no-same-owner -C "$1"'
            yield Command(("bash", "-o", "pipefail", "-c", script, str(archive), str(target)), cwd=target)
        shutil.rmtree(state)


@dataclass(frozen=True, slots=True)
class DebianProgram:
    """One program out of Debian packages, started through a script that finds its libraries beside it."""

    name: str
    usual: str
    program: str
    """Where it lies in the package."""
    packages: Packages

    @property
    def version(self) -> str:
        return release()

    @property
    def folder(self) -> Path:
        return cache_folder() / f"{self.name}-{self.version}"

    def steps(self, scratch: Path, result: Path) -> Iterator[Command]:
        yield from self.packages.unpack(scratch / "root")
        (scratch / "root" / "usr").rename(result / "usr")
        wrapper = result / self.name
        wrapper.write_text(_WRAPPER.format(program=self.program))
        wrapper.chmod(0o755)


def release() -> str:
    """The name of the machine's release, from which all packages come."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")


def _apt(state: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """apt-get as on a machine with nothing installed, and without a trace on this one."""
    program = shutil.which("apt-get")
    if program is None or shutil.which("dpkg-deb") is None:
        raise TestbedError(f"apt-get and dpkg-deb are needed to fetch {', '.join(names)}: this is no Debian")
    (state / "status").touch()
    options = {
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "APT::Install-Recommends": 0,
        "APT::Sandbox::User": "root",  # the cache folder is for one user only
        "Debug::NoLocking": 1,
    }
    return (program, "--quiet", *(part for name, value in options.items() for part in ("-o", f"{name}={value}")))


def seccomp_build_env(root: Path) -> dict[str, str]:
    """What makes cgo take libseccomp from an unpacked package."""
    folders = ":".join(str(path) for path in root.glob("usr/lib/*/pkgconfig"))
    return {"PKG_CONFIG_PATH": folders, "PKG_CONFIG_SYSROOT_DIR": str(root)}


LIBSECCOMP = Packages(names=("libseccomp-dev",))
_NFT_LIBRARIES = ("libnftnl11", "libxtables12")
NFT = DebianProgram(
    name="nft",
    usual="5 seconds",
    program="usr/sbin/nft",
    packages=Packages(names=("nftables", "libnftables1", "libjansson4", "libedit2", "libmnl0", *_NFT_LIBRARIES)),
)
IPTABLES = DebianProgram(
    name="iptables",
    usual="5 seconds",
    program="usr/sbin/iptables-nft",
    packages=Packages(
        names=(
            "iptables",
            "libip4tc2",
            "libip6tc2",
            "libmnl0",
            "libnetfilter-conntrack3",
            "libnfnetlink0",
            *_NFT_LIBRARIES,
        )
    ),
)
CLANG = DebianProgram(
    name="clang",
    usual="10 seconds",
    program="usr/lib/llvm-19/bin/clang",
    packages=Packages(names=("clang-19", "libllvm19", "libclang-cpp19", "libclang-common-19-dev")),
)
