"""How the programs of a real node are built."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.testbed.build import Command, require_go
from tests.testbed.errors import TestbedError
from tests.testbed.instances import cache_folder
from tests.testbed.node.debian import LIBSECCOMP, seccomp_build_env

_PAUSE = Path(__file__).with_name("pause")


@dataclass(frozen=True, slots=True)
class GoModule:
    """Programs of a published Go module whose `replace` or `exclude` lines `go install` refuses.

    They count in a copy of the module, where it is the main one; and with it count its own go.sum and versions.
    """

    name: str
    module: str
    version: str
    checksum: str
    """Of the module's files, as go.sum would have it."""
    usual: str
    packages: Mapping[str, str]
    """Program to the folder of its main package."""
    tags: str = ""
    linker_flags: str = "-s -w"
    env: Mapping[str, str] = field(default_factory=lambda: {"CGO_ENABLED": "0"})
    keep: Mapping[str, str] = field(default_factory=dict)
    """Name in the result to a folder of the module that is needed at run time."""

    @property
    def folder(self) -> Path:
        return cache_folder() / f"{self.name}-{self.version}"

    def steps(self, scratch: Path, result: Path) -> Iterator[Command]:
        go = require_go(self)
        source = scratch / "source"
        downloaded = _download(self, go, scratch)
        yield Command(("cp", "-r", "--no-preserve=mode", str(downloaded), str(source)), cwd=scratch)
        flags = ("-mod=mod", "-trimpath", f"-tags={self.tags}", f"-ldflags={self.linker_flags}")
        for program, package in self.packages.items():
            yield Command((go, "build", *flags, "-o", str(result / program), package), cwd=source, env=self.env)
        for name, path in self.keep.items():
            (source / path).rename(result / name)


def _download(recipe: GoModule, go: str, scratch: Path) -> Path:
    """The module's folder in Go's own cache."""
    command = [go, "mod", "download", "-json", f"{recipe.module}@v{recipe.version}"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout or "{}")
    if done.returncode != 0:
        raise TestbedError(
            f"{recipe.module} v{recipe.version} can't be downloaded: {answer.get('Error') or done.stderr}"
        )
    if answer["Sum"] != recipe.checksum:
        raise TestbedError(f"{recipe.module} v{recipe.version} has the checksum {answer['Sum']}, not {recipe.checksum}")
    return Path(answer["Dir"])


@dataclass(frozen=True, slots=True)
class _Runc(GoModule):
    """runc is C in part: its seccomp filters need a library, linked statically so that it need not be installed."""

    def steps(self, scratch: Path, result: Path) -> Iterator[Command]:
        yield from LIBSECCOMP.unpack(scratch / "seccomp")
        env = seccomp_build_env(scratch / "seccomp")
        for command in GoModule.steps(self, scratch, result):
            yield Command(command.argv, command.cwd, {**command.env, **env})


@dataclass(frozen=True, slots=True)
class _Pause:
    """The program of the container that holds a pod's namespaces."""

    name: str = "pause"
    version: str = "1"
    usual: str = "5 seconds"

    @property
    def folder(self) -> Path:
        return cache_folder() / f"{self.name}-{self.version}"

    def steps(self, _scratch: Path, result: Path) -> Iterator[Command]:
        argv = (require_go(self), "build", "-trimpath", "-ldflags=-s -w", "-o", str(result / "pause"), ".")
        yield Command(argv, cwd=_PAUSE, env={"CGO_ENABLED": "0"})


CONTAINERD = GoModule(
    name="containerd",
    module="github.com/containerd/containerd/v2",
    version="2.1.4",
    checksum="h1:/hXWjiSFd6ftrBOBGfAZ6T30LJcx1dBjdKEeI8xucKQ=",
    usual="1 to 2 minutes",
    packages={name: f"./cmd/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
    tags="no_btrfs,no_devmapper,no_zfs",
    linker_flags="-s -w -X github.com/containerd/containerd/v2/version.Version=2.1.4",  # kubelet asks for it
)
RUNC = _Runc(
    name="runc",
    module="github.com/opencontainers/runc",
    version="1.3.0",
    checksum="h1:cvP7xbEvD0QQAs0nZKLzkVog2OPZhI/V2w3WmTmUSXI=",
    usual="30 seconds",
    packages={"runc": "."},
    tags="seccomp,netgo,osusergo",
    linker_flags="-s -w -X main.version=1.3.0 -extldflags -static",
    env={"CGO_ENABLED": "1"},
)
CNI_PLUGINS = GoModule(
    name="cni-plugins",
    module="github.com/containernetworking/plugins",
    version="1.7.1",
    checksum="h1:CNAR0jviDj6FS5Vg85NTgKWLDzZPfi/lj+VJfhMDTIs=",
    usual="20 seconds",
    packages={
        "bridge": "./plugins/main/bridge",
        "host-local": "./plugins/ipam/host-local",
        "loopback": "./plugins/main/loopback",
    },
)
CILIUM = GoModule(
    name="cilium",
    module="github.com/cilium/cilium",
    version="1.18.2",
    checksum="h1:ZqxNBoVLMYbJIYiKXWXna5kxd4XiE9IRww9vdaKJZoo=",
    usual="6 to 12 minutes",
    packages={"cilium-agent": "./daemon", "cilium-cni": "./plugins/cilium-cni", "cilium-dbg": "./cilium-dbg"},
    tags="osusergo",
    linker_flags="-s -w -X github.com/cilium/cilium/pkg/version.ciliumVersion=1.18.2",
    keep={"bpf": "bpf", "crds": "pkg/k8s/apis/cilium.io/client/crds"},
)
PAUSE = _Pause()
