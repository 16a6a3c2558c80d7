"""Builds programs from their source into the cache, once per user and version."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.testbed.errors import TestbedError
from tests.testbed.instances import cache_folder
from tests.testbed.layout import tail

Progress = Callable[[str], None]

KUBERNETES_VERSION = "1.37.2"
OLDEST_GO = (1, 26)  # what Kubernetes 1.37 asks for
_REPORT_SECONDS = 15
_LOCK_REPORT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Command:
    """One step of a build."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the builder's own environment."""


class Buildable(Protocol):
    """Something that is built once into a folder of the cache."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def usual(self) -> str:
        """How long a build without any cache takes on two cores."""

    @property
    def folder(self) -> Path:
        """Where it is kept once built. Its name changes with whatever goes into it."""

    def steps(self, scratch: Path, result: Path, /) -> Iterable[Command]:
        """What fills `result`. Each command has succeeded before the next is asked for."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to build a folder of Go programs."""

    name: str
    version: str
    usual: str
    """How long a build without any cache takes on two cores."""
    package: str | Path
    """What `go install` builds, or the folder of a module of ours, for what can't be installed so."""
    links: tuple[str, ...] = ()
    """Names under which the binary stands beside itself."""

    @property
    def folder(self) -> Path:
        """Where it is kept once built. Its name changes with whatever goes into it."""
        own = _source_digest(self.package) if isinstance(self.package, Path) else ""
        return cache_folder() / f"{self.name}-{self.version}{own}"

    def steps(self, scratch: Path, result: Path) -> Iterator[Command]:
        go = require_go(self)
        common = ("-trimpath", "-ldflags", _linker_flags())
        env = {"CGO_ENABLED": "0", "GOBIN": str(result)}
        if isinstance(self.package, Path):
            yield Command((go, "build", *common, "-o", str(result / self.name), "."), cwd=self.package, env=env)
        else:
            yield Command((go, "install", *common, f"{self.package}@v{self.version}"), cwd=scratch, env=env)
        for link in self.links:
            (result / link).symlink_to(self.name)


KUBESTACK = Recipe(
    name="kubestack",
    version=KUBERNETES_VERSION,
    usual="7 to 8 minutes",
    package=Path(__file__).with_name("kubestack"),
    links=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"),
)
KWOK = Recipe(name="kwok", version="0.7.0", usual="3 minutes", package="sigs.k8s.io/kwok/cmd/kwok")
HELM = Recipe(name="helm", version="4.3.1", usual="5 minutes", package="helm.sh/helm/v4/cmd/helm")
CYCLONUS = Recipe(
    name="cyclonus", version="0.5.6", usual="1 minute", package="github.com/mattfenwick/cyclonus/cmd/cyclonus"
)
KUBECTL = Recipe(
    name="kubectl", version=KUBERNETES_VERSION, usual="1 minute", package=Path(__file__).with_name("kubectl")
)
KUBE_SCORE = Recipe(
    name="kube-score", version="1.20.0", usual="90 seconds", package="github.com/zegl/kube-score/cmd/kube-score"
)
KUBECONFORM = Recipe(
    name="kubeconform", version="0.8.0", usual="30 seconds", package="github.com/yannh/kubeconform/cmd/kubeconform"
)


def ensure_built(recipe: Buildable, progress: Progress) -> Path:
    """The folder with the recipe's programs, built now if need be; two builders wait for each other.

    Raises TestbedError without Go, with one too old, or with the end of the build's output.
    """
    if recipe.folder.is_dir():
        return recipe.folder
    cache = cache_folder()
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(cache / f"{recipe.folder.name}.lock", recipe, progress):
        if not recipe.folder.is_dir():
            _build_into_place(recipe, progress)
    return recipe.folder


@contextmanager
def _locked(path: Path, recipe: Buildable, progress: Progress) -> Iterator[None]:
    """Hold the file's lock, which the kernel frees when its holder dies."""
    with path.open("w") as file:
        waited = 0
        while not _try_lock(file.fileno()):
            if waited % _LOCK_REPORT_SECONDS == 0:
                progress(f"another process builds {recipe.name}: waiting")
            time.sleep(1)
            waited += 1
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _build_into_place(recipe: Buildable, progress: Progress) -> None:
    """Build aside and rename, so that the folder is complete or absent."""
    scratch = recipe.folder.with_name(f"{recipe.folder.name}.building")
    shutil.rmtree(scratch, ignore_errors=True)  # of a builder that was killed: we hold the lock
    result = scratch / "result"
    result.mkdir(parents=True)
    started = time.monotonic()
    _report(recipe, 0, progress)
    try:
        for command in recipe.steps(scratch, result):
            _run(command, recipe, scratch / "build.log", started, progress)
        result.rename(recipe.folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    progress(f"built {recipe.name} {recipe.version} in {time.monotonic() - started:.0f} s")


def _run(command: Command, recipe: Buildable, log: Path, started: float, progress: Progress) -> None:
    env = os.environ | command.env
    with (
        log.open("ab") as output,
        subprocess.Popen(command.argv, cwd=command.cwd, env=env, stdout=output, stderr=output) as process,
    ):
        try:
            while not _ends_within(_REPORT_SECONDS, process):
                _report(recipe, time.monotonic() - started, progress)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        what = f"{recipe.name} {recipe.version} does not build: {Path(command.argv[0]).name} failed"
        raise TestbedError(f"{what}; the end of its output:\n{tail(log)}")


def _report(recipe: Buildable, seconds: float, progress: Progress) -> None:
    progress(f"building {recipe.name} {recipe.version}: {seconds:.0f} s (once; usually {recipe.usual} on 2 cores)")


def _ends_within(seconds: float, process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _linker_flags() -> str:
    """Without them a hand-built Kubernetes says v0.0.0, which clients and our own check refuse."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    version = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": major, "gitMinor": minor}
    settings = (f"-X k8s.io/component-base/version.{name}={value}" for name, value in version.items())
    return " ".join(("-s -w", *settings))


def require_go(recipe: Buildable) -> str:
    """Go's path; raises TestbedError when there is none or an old one."""
    oldest = ".".join(map(str, OLDEST_GO))
    needed = f"Go {oldest} or newer must be installed to build {recipe.name} {recipe.version}"
    go = shutil.which("go")
    if go is None:
        raise TestbedError(f"{needed}: `go` is not on the PATH")
    answer = subprocess.run([go, "version"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    match = re.search(r"go([0-9]+)\.([0-9]+)", answer.stdout)
    if answer.returncode != 0 or match is None:
        raise TestbedError(f"{needed}: {' '.join(answer.stderr.split()) or 'go version failed'}")
    if (int(match[1]), int(match[2])) < OLDEST_GO:
        raise TestbedError(f"{needed}: this is {match[0]}")
    return go


def _source_digest(module: Path) -> str:
    """`-` and a few characters that differ whenever the module's files do."""
    content = b"".join((module / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    return f"-{hashlib.sha256(content).hexdigest()[:8]}"
