"""Argo CD beside a testbed: installed as its own bundle does, its programs outside any pod."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.testbed.argocd import commands
from tests.testbed.argocd.commands import NAMESPACE, Place
from tests.testbed.argocd.recipe import ARGOCD, CONTROLLER
from tests.testbed.bed import Testbed
from tests.testbed.build import ensure_built
from tests.testbed.cluster import Manifest, read_manifests
from tests.testbed.layout import Layout, Ports
from tests.testbed.programs import find

_OBJECTS = ("crds", "config", "roles", "cluster-roles")
_CLUSTER_WIDE = ("CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding")


def start(bed: Testbed, tell: Callable[[str], None]) -> None:
    """Install Argo CD in a testbed and start its programs, which end with the testbed.

    Its controller has the rights that Argo CD gives it: all of them. Raises TestbedError when one isn't healthy.
    """
    programs = ensure_built(ARGOCD, tell)
    bed.apply(_objects(programs))
    layout = Layout(bed.directory)
    place = Place(
        programs=programs,
        helm=find("helm", tell),
        kubeconfig=bed.service_account_kubeconfig(NAMESPACE, CONTROLLER),
        folder=layout.root / NAMESPACE,
    )
    for folder in ("tmp", "tls", "ssh", "plugins"):
        (place.folder / folder).mkdir(parents=True)
    (place.folder / "ssh" / "ssh_known_hosts").touch()
    for program in commands.argocd(place, Ports.load(layout)):
        tell(f"starting {program.name}")
        bed.run(program)


def _objects(programs: Path) -> Iterator[Manifest]:
    """What Argo CD's bundle has for these programs."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    for folder in _OBJECTS:
        for manifest in read_manifests(programs / folder):
            if manifest["kind"] == "Kustomization":
                continue
            if manifest["kind"] not in _CLUSTER_WIDE:
                manifest["metadata"]["namespace"] = NAMESPACE
            if manifest["kind"] == "RoleBinding":
                manifest["subjects"][0]["namespace"] = NAMESPACE
            if manifest["kind"] == "Secret":  # its API server, which is not here, would make the key
                manifest["stringData"] = {"server.secretkey": secrets.token_urlsafe()}
            yield manifest
