"""Finds the programs of a control plane, and builds those that this machine does not have."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.build import (
    CYCLONUS,
    HELM,
    KUBE_SCORE,
    KUBECONFORM,
    KUBECTL,
    KUBESTACK,
    KWOK,
    Buildable,
    ensure_built,
)
from tests.testbed.errors import TestbedError
from tests.testbed.node.debian import CLANG, IPTABLES, NFT
from tests.testbed.trivy import TRIVY

Progress = Callable[[str], None]
Version = tuple[int, int]

_VERSION_LIMIT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Known:
    """A program that we can build, and what a copy that somebody else built must be."""

    recipe: Buildable
    oldest: Version
    """(major, minor) of the oldest one that will do."""
    ask: tuple[str, ...] = ("--version",)


_KUBERNETES = Known(KUBESTACK, oldest=(1, 37))
_KNOWN: Mapping[str, Known] = {
    "etcd": Known(KUBESTACK, oldest=(3, 6)),  # what Kubernetes 1.37 is released with is 3.7; 3.6 is supported
    "kube-apiserver": _KUBERNETES,
    "kube-controller-manager": _KUBERNETES,
    "kube-scheduler": _KUBERNETES,
    "kubelet": _KUBERNETES,
    "kube-proxy": _KUBERNETES,
    "kwok": Known(KWOK, oldest=(0, 7)),
    "nft": Known(NFT, oldest=(1, 0)),  # kube-proxy's way to set its rules
    "iptables": Known(IPTABLES, oldest=(1, 8)),  # Cilium's, for its marks
    "clang": Known(CLANG, oldest=(18, 1)),  # Cilium compiles its programs for the kernel with it
    "helm": Known(HELM, oldest=(4, 0), ask=("version", "--short")),
    "cyclonus": Known(CYCLONUS, oldest=(0, 5), ask=("version",)),
    "kubectl": Known(KUBECTL, oldest=(1, 36), ask=("version", "--client")),
    "kube-score": Known(KUBE_SCORE, oldest=(1, 20), ask=("version",)),
    "kubeconform": Known(KUBECONFORM, oldest=(0, 8), ask=("-v",)),
    "trivy": Known(TRIVY, oldest=(0, 58)),
}


def find(name: str, progress: Progress = lambda _: None) -> Path:
    """The path of one program: from $KUBEBUILDER_ASSETS, PATH or the cache, else built into the cache.

    Raises TestbedError when it has to be built and can't be.
    """
    if name not in _KNOWN:
        raise TestbedError(f"unknown program {name!r}; known: {', '.join(_KNOWN)}")
    known = _KNOWN[name]
    for candidate in _candidates(name):
        version = _version_of(candidate, known.ask)
        if version is not None and version >= known.oldest:
            return candidate
        progress(f"{candidate} is not used: {_complaint(version, known.oldest)}")
    return ensure_built(known.recipe, progress) / name


def find_all(names: Collection[str], progress: Progress) -> dict[str, Path]:
    """The path of each program by its name."""
    return {name: find(name, progress) for name in names}


def _candidates(name: str) -> Iterator[Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (program := Path(assets) / name).is_file():
        yield program.absolute()  # not resolved: kubestack's name in the link says what it is
    if on_path := shutil.which(name):
        yield Path(on_path).absolute()


def _version_of(program: Path, ask: tuple[str, ...]) -> Version | None:
    """(major, minor) that the program prints, or None."""
    try:
        answer = subprocess.run(
            [program, *ask], capture_output=True, text=True, timeout=_VERSION_LIMIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(answer.stdout)


def parse_version(text: str) -> Version | None:
    """The first `1.37.2` or `v1.37` in a text, as (major, minor)."""
    match = re.search(r"\bv?([0-9]+)\.([0-9]+)(\.[0-9]+)?", text)
    return (int(match[1]), int(match[2])) if match else None


def _complaint(version: Version | None, oldest: Version) -> str:
    needed = f"{oldest[0]}.{oldest[1]} or newer is needed"
    return (
        f"it does not say its version, and {needed}"
        if version is None
        else f"it is {version[0]}.{version[1]}, {needed}"
    )
