"""What tests say to Argo CD and ask of it: commits, Applications, and how they stand."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.cluster.support import Admin, Manifest
from tests.testbed.argocd.commands import NAMESPACE

ARGO_USER: Final = "system:serviceaccount:argocd:argocd-application-controller"
HERE: Final = "https://kubernetes.default.svc"
DEADLINE_SECONDS: Final = 60
_REFRESH: Final = "argocd.argoproj.io/refresh"
FIERCELY: Final = {"limit": -1, "refresh": True, "backoff": {"duration": "1s", "factor": 1, "maxDuration": "1s"}}


@dataclass(frozen=True, slots=True)
class Repository:
    """A Git repository that Argo CD reads, and somebody's clone of it."""

    origin: Path
    clone: Path

    @classmethod
    def create(cls, folder: Path) -> "Repository":
        """An empty one with the branch main."""
        origin, clone = folder / "gitops.git", folder / "gitops"
        _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
        _git(folder, "clone", "--quiet", str(origin), str(clone))
        _git(clone, "config", "user.name", "Ward")
        _git(clone, "config", "user.email", "ward@example.org")
        _git(clone, "commit", "--quiet", "--allow-empty", "--message", "Begin")
        _git(clone, "push", "--quiet", "origin", "main")
        return cls(origin, clone)

    @property
    def url(self) -> str:
        return self.origin.as_uri()

    def commit(self, files: Mapping[str, Sequence[Manifest]]) -> str:
        """Write these files and push; one without an object is removed. Returns the commit."""
        for name, objects in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if objects:
                path.write_text("\n---\n".join(map(json.dumps, objects)))  # which is YAML too
            else:
                path.unlink()
                (path.parent / ".keep").touch()  # the folder stays, as Argo CD asks for
        _git(self.clone, "add", "--all")
        _git(self.clone, "commit", "--quiet", "--message", "Change")
        _git(self.clone, "push", "--quiet", "origin", "main")
        return self.head()

    def head(self) -> str:
        """The commit that Argo CD will find."""
        return _git(self.clone, "rev-parse", "HEAD").strip()


def _git(folder: Path, *arguments: str) -> str:
    """Git without anybody's settings."""
    env = {"PATH": os.defpath, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", "-C", str(folder), *arguments], env=env, capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr
    return done.stdout


def application(name: str, repository: Repository, options: Sequence[str] = (), **policy: Any) -> Manifest:
    """One that syncs the folder of its name into the namespace of its name, as fiercely as Argo CD can."""
    automated = {"selfHeal": True, "prune": True, "allowEmpty": True}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository.url, "targetRevision": "main", "path": name},
            "destination": {"server": HERE, "namespace": name},
            "syncPolicy": {"automated": automated, "syncOptions": list(options), "retry": FIERCELY, **policy},
        },
    }


DEFAULT_PROJECT: Final[Manifest] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "default", "namespace": NAMESPACE},
    "spec": {
        "sourceRepos": ["*"],
        "destinations": [{"namespace": "*", "server": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    },
}
"""What Argo CD makes for itself at its first start, by the part of it that is not here."""


@dataclass(frozen=True, slots=True)
class Argo:
    """Argo CD as a person with kubectl sees it."""

    admin: Admin

    def get(self, name: str) -> Manifest:
        found = self.admin.get("Application", NAMESPACE, name)
        assert found is not None
        return found

    def look(self, name: str) -> None:
        """Have it look at Git now, which it does by itself every few minutes; returns when it has."""
        self.admin.patch("Application", NAMESPACE, name, {"metadata": {"annotations": {_REFRESH: "normal"}}})
        self.wait(name, lambda body: _REFRESH not in body["metadata"].get("annotations", {}))

    def wait(self, name: str, predicate: Callable[[Manifest], bool], seconds: float = DEADLINE_SECONDS) -> Manifest:
        """Until the Application is as asked for; returns it."""

        def holds(body: Manifest | None) -> bool:
            return body is not None and predicate(body)

        found = self.admin.wait("Application", NAMESPACE, name, holds, seconds)
        assert found is not None
        return found

    def wait_synced(self, name: str, commit: str, seconds: float = DEADLINE_SECONDS) -> Manifest:
        """Until it has carried out that commit."""
        return self.wait(name, lambda body: is_synced(body, commit), seconds)

    def wait_refused(self, name: str, commit: str, words: str, seconds: float = DEADLINE_SECONDS) -> Manifest:
        """Until it was told these words when it tried to carry out that commit."""
        return self.wait(name, lambda body: is_refused(body, commit, words), seconds)

    def wait_health(self, name: str, health: str, seconds: float = DEADLINE_SECONDS) -> Manifest:
        return self.wait(name, lambda body: health_of(body) == health, seconds)


def health_of(body: Manifest) -> str:
    """Healthy, Progressing, Degraded, Suspended, Missing, Unknown; empty before the first look."""
    return str(body.get("status", {}).get("health", {}).get("status", ""))


def operation_of(body: Manifest) -> Manifest:
    """The sync that goes on, or the last one."""
    found: Manifest = body.get("status", {}).get("operationState") or {}
    return found


def is_synced(body: Manifest, commit: str) -> bool:
    """Whether what is there is what that commit asks for, as far as Argo CD can see."""
    sync, operation = body.get("status", {}).get("sync", {}), operation_of(body)
    done = operation.get("phase") == "Succeeded" and "operation" not in body
    return sync.get("status") == "Synced" and sync.get("revision") == commit and done


def is_refused(body: Manifest, commit: str, words: str) -> bool:
    """Whether an attempt at that commit met these words."""
    operation = operation_of(body)
    result = operation.get("syncResult", {})
    told = [operation.get("message", ""), *(each.get("message", "") for each in result.get("resources", []))]
    return result.get("revision") == commit and any(words in each for each in told)
