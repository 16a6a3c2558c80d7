"""Installs this repository's operator the way its plain-YAML bundle does, but for the Deployments."""

import os
from collections.abc import Iterable, Mapping

from meditron_operator import names
from tests.testbed import commands
from tests.testbed.cluster import Cluster, Manifest, read_manifests
from tests.testbed.commands import Program
from tests.testbed.layout import REPOSITORY, Layout, Ports
from tests.testbed.pki import Authority
from tests.testbed.waiting import wait_for

NAMESPACE = "meditron-system"
SERVICE_ACCOUNT = "meditron-operator"
GUARD_ACCOUNT = "meditron-guard"
DEFINITIONS = REPOSITORY / "crds"
BUNDLE = REPOSITORY / "manifests" / "install.yaml"
STAMP = REPOSITORY / "manifests" / "stamp-kubernetes-1.36.yaml"
_SERVICE_ACCOUNT_LIMIT_SECONDS = 30.0
_POLICIES_LIMIT_SECONDS = 60.0
_PROBE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "probe", "namespace": "default"},
    "spec": {"ports": [{"port": 1}]},
}
_STOP: Manifest = {
    "apiVersion": "meditron.ai/v1alpha1",
    "kind": "MeditronDeployment",
    "metadata": {"name": "probe", "namespace": "default", "annotations": {"meditron.ai/kill-switch": "halt"}},
    "spec": {
        "model": {"id": "meditron-7b", "source": {"persistentVolumeClaim": {"claimName": "weights"}}},
        "gpu": {"type": "L4"},
        "engine": {"image": "registry.example.com/tgi@sha256:" + "0" * 64},
    },
}
"""The server's stamp needs the schema of the new kind, and refuses a stop without a name until it has read it."""


def install(cluster: Cluster) -> None:
    """Apply the CRDs, the namespace and the bundle; the operator itself is started beside the cluster."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    bundle = without_deployments([*read_manifests(BUNDLE), *read_manifests(STAMP)])
    cluster.apply([namespace, *read_manifests(DEFINITIONS), *bundle])
    wait_admitting(cluster)
    wait_for(
        f"the service account {NAMESPACE}/{SERVICE_ACCOUNT}",
        lambda: cluster.has_service_account(NAMESPACE, SERVICE_ACCOUNT),
        _SERVICE_ACCOUNT_LIMIT_SECONDS,
    )


def wait_admitting(cluster: Cluster) -> None:
    """Until the API server knows our kinds: after our installation, and after each of its own starts."""
    wait_for("the admission policies to know our kinds", lambda: _is_admitted(cluster), _POLICIES_LIMIT_SECONDS)
    wait_for("the stamp to know our kinds", lambda: _is_stamped(cluster), _POLICIES_LIMIT_SECONDS)


def _is_admitted(cluster: Cluster) -> bool:
    return cluster.would_store(_PROBE) is not None


def _is_stamped(cluster: Cluster) -> bool:
    stored = cluster.would_store(_STOP)
    return stored is not None and names.KILLED_BY in stored["metadata"]["annotations"]


def without_deployments(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Simulated nodes run no code: a Deployment there would look like an operator that does nothing."""
    return [manifest for manifest in manifests if manifest["kind"] != "Deployment"]


def operator_program(layout: Layout, ports: Ports, cluster: Cluster, extra_env: Mapping[str, str]) -> Program:
    """The operator with its own service account's rights, not admin's."""
    # As a container that restarts in its pod: its name is its own, and the lease of before its end still is.
    env = _environment(layout, ports, cluster, SERVICE_ACCOUNT) | {"MEDITRON_IDENTITY": "operator"}
    return commands.operator(ports, {**env, **extra_env})


def guard_programs(layout: Layout, ports: Ports, cluster: Cluster, count: int) -> list[Program]:
    """As many guards, each with their own service account's rights."""
    env = _environment(layout, ports, cluster, GUARD_ACCOUNT)
    return [commands.guard(ports, env, number) for number in range(1, count + 1)]


def _environment(layout: Layout, ports: Ports, cluster: Cluster, account: str) -> dict[str, str]:
    """Of a program of ours: the kubeconfig of its service account."""
    credentials = {"token": cluster.token(NAMESPACE, account)}
    kubeconfig = layout.component_kubeconfig(account)
    kubeconfig.write_text(Authority.load(layout).kubeconfig(ports.api_url, credentials))
    kubeconfig.chmod(0o600)
    # What it would leave in its temporary folder when it is killed goes with the testbed's folder.
    return {**os.environ, "KUBECONFIG": str(kubeconfig), "TMPDIR": str(layout.root)}
