"""The command line of each program of Argo CD, outside any pod. Pure."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.argocd.recipe import CACHE, CONTROLLER, REPO_SERVER
from tests.testbed.commands import Program
from tests.testbed.layout import LOOPBACK, Ports

NAMESPACE = "argocd"
SELF_HEAL_SECONDS = 1
"""Between any two attempts. Argo CD's own pauses grow from 2 s to 5 min, and let who works against it rest."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where Argo CD's programs are, and what they use."""

    programs: Path
    helm: Path
    kubeconfig: Path
    """The application controller's."""
    folder: Path
    """For everything that they write."""

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"


def argocd(place: Place, ports: Ports) -> Iterator[Program]:
    """All three, in the order in which they need each other."""
    cache, repositories = f"{LOOPBACK}:{ports.argocd_cache}", f"{LOOPBACK}:{ports.argocd_repositories}"
    yield Program(CACHE, (str(place.programs / CACHE), cache))
    yield Program(
        REPO_SERVER,
        (
            str(place.programs / REPO_SERVER),
            f"--address={LOOPBACK}",
            f"--port={ports.argocd_repositories}",
            f"--metrics-address={LOOPBACK}",
            f"--metrics-port={ports.argocd_repositories_health}",
            f"--redis={cache}",
        ),
        health=f"http://{LOOPBACK}:{ports.argocd_repositories_health}/healthz?full=true",
        env=_environment(place),
    )
    yield Program(
        CONTROLLER,
        (
            str(place.programs / CONTROLLER),
            f"--kubeconfig={place.kubeconfig}",
            f"--namespace={NAMESPACE}",
            f"--metrics-port={ports.argocd_controller}",
            f"--redis={cache}",
            f"--repo-server={repositories}",
            f"--self-heal-timeout-seconds={SELF_HEAL_SECONDS}",
            "--self-heal-backoff-timeout-seconds=0",
            "--persist-resource-health=true",  # of each object, for tests to read: else only the whole is told
        ),
        health=f"http://{LOOPBACK}:{ports.argocd_controller}/healthz",
        env=_environment(place) | {"KUBECONFIG": str(place.kubeconfig)},
    )


def _environment(place: Place) -> dict[str, str]:
    """Paths that are volumes of its pods, and Helm and Git as in its image."""
    return {
        "PATH": os.pathsep.join((str(place.helm.parent), os.defpath)),
        "HOME": str(place.folder),
        "TMPDIR": str(place.temporary),
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_TLS_DATA_PATH": str(place.folder / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(place.folder / "ssh"),
        "ARGOCD_PLUGINSOCKFILEPATH": str(place.folder / "plugins"),
        "ARGOCD_ASK_PASS_SOCK": str(place.temporary / "ask-pass.sock"),
    }
