"""Cilium's agent and plugin, for network policies that are enforced."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.testbed.cluster import Cluster, read_manifests
from tests.testbed.commands import Program
from tests.testbed.layout import LOOPBACK, Ports
from tests.testbed.node.commands import AGENT, enter, environment
from tests.testbed.node.machine import OWN_CGROUP
from tests.testbed.node.network import NODE_DEVICE, POD_RANGE
from tests.testbed.node.options import NodeLayout, NodeOptions
from tests.testbed.node.recipes import CILIUM

PLUGIN = "cilium-cni"
TOOLS = ("clang", "iptables")
RESTORED = b"Finished regenerating restored endpoints"
_OFF = (
    "auto-direct-node-routes",
    "bpf-lb-sock",
    "cni-exclusive",
    "enable-cilium-clusterwide-network-policy",
    "enable-cilium-network-policy",
    "enable-endpoint-health-checking",
    "enable-envoy-config",
    "enable-health-check-nodeport",
    "enable-health-checking",
    "enable-hubble",
    "enable-ipv4-masquerade",
    "enable-ipv6",
    "enable-ipv6-masquerade",
    "enable-l7-proxy",
    "kube-proxy-replacement",
    "preallocate-bpf-maps",
)


def options(kubeconfig: Path, ports: Ports) -> dict[str, str]:
    """Network policies and nothing else: kube-proxy does the Services, routes are the kernel's own.

    The agent takes a name that it doesn't know without a word.
    """
    return dict.fromkeys(_OFF, "false") | {
        "agent-health-port": str(ports.agent),
        "bpf-policy-map-max": "4096",
        "cgroup-root": str(OWN_CGROUP),  # what it attaches there goes with the node
        "cluster-id": "0",
        "cluster-name": "default",
        "devices": NODE_DEVICE,
        "direct-routing-device": NODE_DEVICE,
        "enable-ipv4": "true",
        "enable-k8s-networkpolicy": "true",
        "enable-policy": "default",
        "identity-allocation-mode": "crd",
        # By default a pod keeps its old rights for up to 35 s after a change of its labels.
        "identity-change-grace-period": "100ms",
        "identity-max-jitter": "0s",
        "ipam": "kubernetes",
        "ipv4-native-routing-cidr": POD_RANGE,
        "k8s-kubeconfig-path": str(kubeconfig),
        "k8s-require-ipv4-pod-cidr": "true",
        "lib-dir": str(CILIUM.folder),
        "routing-mode": "native",
        "tofqdns-proxy-port": "0",
    }


def apply_definitions(cluster: Cluster) -> None:
    """In a cluster the operator does it, which a single node needs for nothing else."""
    for version in ("v2", "v2alpha1"):
        cluster.apply(read_manifests(CILIUM.folder / "crds" / version))


def write_options(layout: NodeLayout, values: Mapping[str, str]) -> None:
    """One file for each, as in a volume of its ConfigMap."""
    layout.agent.mkdir()
    for name, value in values.items():
        (layout.agent / name).write_text(value)


def agent(layout: NodeLayout, cgroup: str, ports: Ports, node: NodeOptions, tools: Sequence[Path]) -> Program:
    """`tools`: the folders with clang, and with iptables, which tells the node's own packets, such as kubelet's
    probes, from others. No policy shuts those out, but without the mark they count as the world's."""
    argv = (str(CILIUM.folder / AGENT), f"--config-dir={layout.agent}")
    health = f"http://{LOOPBACK}:{ports.agent}/healthz"
    env = environment(layout, *tools) | {"K8S_NODE_NAME": node.name, "CILIUM_K8S_NAMESPACE": "kube-system"}
    return enter("node", Program(AGENT, argv, health, env), layout, cgroup)


def network_configuration(layout: NodeLayout) -> str:
    """CNI."""
    log = str(layout.testbed.log_of(PLUGIN))
    plugin = {"type": PLUGIN, "enable-debug": False, "log-file": log}
    return json.dumps({"cniVersion": "0.3.1", "name": "cilium", "plugins": [plugin]})
