"""How the programs of Argo CD are built."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.testbed.build import Command
from tests.testbed.instances import cache_folder
from tests.testbed.node.recipes import GoModule

CACHE: Final = "argocd-redis"
REPO_SERVER: Final = "argocd-repo-server"
CONTROLLER: Final = "argocd-application-controller"

_MAIN: Final = Path(__file__).with_name("main.go")
_VERSION: Final = "3.2.0"


@dataclass(frozen=True, slots=True)
class _ArgoCD(GoModule):
    """One binary with what a test needs: a program of ours in the module, beside Argo CD's own.

    Its own binary has the web interface, the notifications and the clients of every cloud too.
    """

    @property
    def folder(self) -> Path:
        ours = hashlib.sha256(_MAIN.read_bytes()).hexdigest()[:8]
        return cache_folder() / f"{self.name}-{self.version}-{ours}"

    def steps(self, scratch: Path, result: Path) -> Iterator[Command]:
        steps = GoModule.steps(self, scratch, result)
        yield next(steps)  # copies the module
        ours = scratch / "source" / "cmd" / "testbed"
        ours.mkdir()
        shutil.copy(_MAIN, ours)
        yield from steps
        for name in (CACHE, REPO_SERVER, CONTROLLER):
            (result / name).symlink_to("argocd")


ARGOCD: Final = _ArgoCD(
    name="argocd",
    module="github.com/argoproj/argo-cd/v3",
    version=_VERSION,
    checksum="h1:m2eGAV+nXQGgzZbH5SyJD5laaPW27mzWXBrgisUHY/0=",
    usual="5 to 7 minutes",
    packages={"argocd": "./cmd/testbed"},
    linker_flags=f"-s -w -X github.com/argoproj/argo-cd/v3/common.version={_VERSION}",
    keep={
        "crds": "manifests/crds",
        "config": "manifests/base/config",
        "roles": "manifests/base/application-controller-roles",
        "cluster-roles": "manifests/cluster-rbac/application-controller",
    },
)
