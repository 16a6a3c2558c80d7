"""The configuration files of containerd, kubelet and kube-proxy, and the bridge plugin's. Pure."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.testbed.layout import LOOPBACK, Ports
from tests.testbed.node.machine import CONTAINERD_ROOT, KUBELET_ROOT, RUN
from tests.testbed.node.network import DNS_ADDRESS, POD_RANGE
from tests.testbed.node.options import NodeLayout

CONTAINERD_SOCKET = RUN / "containerd.sock"
PAUSE_IMAGE = "testbed.invalid/pause:1"
KUBELET_PORT = 10250


def containerd(layout: NodeLayout, runc: Path, *, lowers_oom_score: bool) -> str:
    """`lowers_oom_score`: whether the machine allows it; the container that CI runs in may not."""
    return f"""\
version = 3
root = "{CONTAINERD_ROOT}"
state = "{RUN}/containerd"

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins.'io.containerd.internal.v1.opt']
  path = "{CONTAINERD_ROOT}/opt"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = {str(not lowers_oom_score).lower()}

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{layout.plugin_programs}"]
  conf_dir = "{layout.network_plugins}"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = "{runc}"
"""


def kubelet(layout: NodeLayout, ports: Ports, cgroup: str) -> str:
    pki = layout.testbed.pki
    return _yaml(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "port": KUBELET_PORT,
            "healthzBindAddress": LOOPBACK,
            "healthzPort": ports.kubelet,
            "tlsCertFile": str(pki / "server.crt"),
            "tlsPrivateKeyFile": str(pki / "server.key"),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "failCgroupV1": False,  # Kubernetes 1.35 and later refuse version 1 by default
            "failSwapOn": False,
            "clusterDNS": [DNS_ADDRESS],
            "clusterDomain": "cluster.local",
            "resolvConf": str(layout.resolver),
            "podLogsDir": str(layout.pod_logs),
            "volumePluginDir": str(KUBELET_ROOT / "plugins"),
            # A full disk of the machine that the tests run on is not the node's concern.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
            "nodeStatusUpdateFrequency": "5s",
            "serializeImagePulls": False,
        }
    )


def proxy(kubeconfig: Path, ports: Ports, node: str) -> str:
    return _yaml(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "clusterCIDR": POD_RANGE,
            "hostnameOverride": node,
            "healthzBindAddress": f"{LOOPBACK}:{ports.proxy}",
            "conntrack": {"maxPerCore": 0},  # the table's size is the machine's
            "nftables": {"minSyncPeriod": "0s"},
        }
    )


def bridge(pod_range: str) -> str:
    """CNI: one bridge for the node's pods."""
    return json.dumps(
        {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "pods",
                    "isGateway": True,
                    "hairpinMode": True,  # a pod reaches itself through its Service
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(RUN / "addresses"),
                        "ranges": [[{"subnet": pod_range}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        }
    )


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False)
