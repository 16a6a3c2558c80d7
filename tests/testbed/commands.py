"""The command line of each program of the control plane. Pure."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.testbed.layout import LOOPBACK, NODE_ADDRESS, SERVICE_RANGE, Layout, Ports

_STAGES = Path(__file__).with_name("stages.yaml")
_COLLECT_SELDOM = {"GOGC": "400"}
"""For Go's garbage collector, which else takes an eighth of all processor time of a testbed. It costs memory."""

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")

COMPONENT_USERS: Mapping[str, tuple[str, str]] = {
    "kube-controller-manager": ("system:kube-controller-manager", "testbed"),
    "kube-scheduler": ("system:kube-scheduler", "testbed"),
    "kwok": ("kwok", "system:masters"),  # plays every node's kubelet, which NodeRestriction would keep apart
}
"""User and group of the certificate of each component that calls the API server."""


@dataclass(frozen=True, slots=True)
class Program:
    """What the supervisor needs to start a program, and to start it again."""

    name: str
    argv: tuple[str, ...]
    health: str | None = None
    """URL that answers 200 once the program does its work, or `file:` and where it then writes its process id."""
    env: dict[str, str] = field(default_factory=dict)
    """Its whole environment, but for PATH and HOME."""


def control_plane(layout: Layout, ports: Ports, binaries: Mapping[str, Path]) -> dict[str, Program]:
    """All five programs, by name."""
    programs = (
        _etcd(layout, ports),
        _apiserver(layout, ports),
        _controller_manager(layout, ports),
        _scheduler(layout, ports),
        _kwok(layout, ports),
    )
    return {
        name: Program(name, (str(binaries[name]), *flags), health, _COLLECT_SELDOM)
        for name, (flags, health) in zip(CONTROL_PLANE, programs, strict=True)
    }


def operator(ports: Ports, env: dict[str, str]) -> Program:
    """The operator of this repository, in this interpreter."""
    argv = (sys.executable, "-m", "meditron_operator", "operator", "--health-port", str(ports.operator))
    return Program(name="operator", argv=argv, health=f"{ports.operator_url}/readyz", env=env)


def guard(ports: Ports, env: dict[str, str], number: int) -> Program:
    """The guard of this repository; two of them may run."""
    name, port = ("guard", ports.guard) if number == 1 else ("guard-2", ports.guard_2)
    argv = (sys.executable, "-m", "meditron_operator", "guard", "--health-port", str(port))
    return Program(name=name, argv=argv, health=f"http://{LOOPBACK}:{port}/readyz", env=env)


def _etcd(layout: Layout, ports: Ports) -> tuple[tuple[str, ...], str]:
    clients, peers = f"http://{LOOPBACK}:{ports.etcd}", f"http://{LOOPBACK}:{ports.etcd_peer}"
    flags = (
        f"--data-dir={layout.etcd}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",  # the data need not survive the machine
        "--log-level=warn",
    )
    return flags, f"{clients}/health"


def _apiserver(layout: Layout, ports: Ports) -> tuple[tuple[str, ...], str]:
    flags = (
        f"--etcd-servers=http://{LOOPBACK}:{ports.etcd}",
        f"--bind-address={LOOPBACK}",
        # Goes nowhere, since no one keeps the endpoints of the Service `kubernetes`; without it the API
        # server looks for the address of a default route, which an isolated machine does not have.
        f"--advertise-address={NODE_ADDRESS}",
        "--endpoint-reconciler-type=none",
        f"--secure-port={ports.api}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        *_serving_certificate(layout),
        f"--client-ca-file={layout.pki / 'ca.crt'}",
        f"--kubelet-certificate-authority={layout.pki / 'ca.crt'}",
        f"--kubelet-client-certificate={layout.pki / 'admin.crt'}",
        f"--kubelet-client-key={layout.pki / 'admin.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        # Controllers and scheduler look for a CA of front proxies all the time. Here no one is one.
        f"--requestheader-client-ca-file={layout.pki / 'ca.crt'}",
        "--requestheader-allowed-names=none.invalid",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,PodSecurity",
        "--allow-privileged",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={layout.pki / 'service-accounts.key'}",
        f"--service-account-signing-key-file={layout.pki / 'service-accounts.key'}",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-mode=blocking",  # a request is in the log before its answer is out
        "--audit-log-maxsize=0",  # one file
        # Without it SIGTERM takes 60 s while anybody watches, and controllers always do.
        "--shutdown-watch-termination-grace-period=1s",
    )
    return flags, f"{ports.api_url}/readyz"


def _controller_manager(layout: Layout, ports: Ports) -> tuple[tuple[str, ...], str]:
    flags = (
        *_component("kube-controller-manager", layout, ports.controllers),
        "--controllers=*",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={layout.pki / 'service-accounts.key'}",
        f"--root-ca-file={layout.pki / 'ca.crt'}",
        "--horizontal-pod-autoscaler-sync-period=5s",
    )
    return flags, f"https://{LOOPBACK}:{ports.controllers}/healthz"


def _scheduler(layout: Layout, ports: Ports) -> tuple[tuple[str, ...], str]:
    flags = _component("kube-scheduler", layout, ports.scheduler)
    return flags, f"https://{LOOPBACK}:{ports.scheduler}/readyz"


def _component(name: str, layout: Layout, port: int) -> tuple[str, ...]:
    """What controller manager and scheduler have in common."""
    kubeconfig = layout.component_kubeconfig(name)
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--kube-api-qps=500",  # the default of 20 alone makes the controllers' start 5 s longer
        "--kube-api-burst=1000",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        *_serving_certificate(layout),
    )


def _serving_certificate(layout: Layout) -> tuple[str, ...]:
    certificate, key = layout.pki / "server.crt", layout.pki / "server.key"
    return f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}"


def _kwok(layout: Layout, ports: Ports) -> tuple[tuple[str, ...], str]:
    flags = (
        f"--kubeconfig={layout.component_kubeconfig('kwok')}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=10",  # kubelet's is 40: so long a restarted kwok would stand idle
        f"--server-address={LOOPBACK}:{ports.kwok}",
        # What the nodes say of their kubelet: the API server asks there for the logs of containers.
        f"--config={layout.kwok_config}",
        f"--config={_STAGES}",
        f"--node-ip={LOOPBACK}",
        f"--node-port={ports.kwok}",
        *_serving_certificate(layout),
    )
    return flags, f"http://{LOOPBACK}:{ports.kwok}/healthz"


def audit_policy() -> dict[str, Any]:
    """Metadata of every request once it is answered, but for the API server's own and nodes' heartbeats."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "users": ["system:apiserver"]},
            {
                "level": "None",
                "namespaces": ["kube-node-lease", "kube-system"],
                "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
            },
            {"level": "Metadata"},
        ],
    }
