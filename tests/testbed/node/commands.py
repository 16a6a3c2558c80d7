"""The command line of each program of a real node, and of the control plane beside it. Pure."""

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.testbed.commands import Program
from tests.testbed.layout import LOOPBACK, NODE_ADDRESS, Ports
from tests.testbed.node import cgroups
from tests.testbed.node.machine import KUBELET_ROOT
from tests.testbed.node.network import POD_RANGE
from tests.testbed.node.options import NodeLayout, NodeOptions
from tests.testbed.nodes import gpu_labels

HOLDER = "node-namespaces"
RELAY = "node-relay"
CONTAINERD = "containerd"
KUBELET = "kubelet"
PROXY = "kube-proxy"
AGENT = "cilium-agent"
NODE_PROGRAMS = (CONTAINERD, KUBELET, PROXY, AGENT)
"""Those that can be ended without the node's end. The last one only where it was asked for."""

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def holder(layout: NodeLayout, cgroup: str) -> Program:
    """Makes the namespaces and keeps them."""
    argv = _module("holder", str(layout.root), cgroup, str(layout.namespaces))
    return Program(HOLDER, argv, health=layout.namespaces.as_uri(), env={"PATH": _SYSTEM_PATH})


def relay(layout: NodeLayout, ports: Ports) -> Program:
    """All ports, also of programs that this testbed hasn't: nothing answers there."""
    numbers = (str(port) for port in dataclasses.asdict(ports).values())
    argv = _module("relay", layout.first_process(), str(layout.relay), *numbers)
    return Program(RELAY, argv, health=layout.relay.as_uri())


def beside_node(programs: Mapping[str, Program], layout: NodeLayout, cgroup: str) -> dict[str, Program]:
    """The control plane in the node's network, set to serve a real node."""
    more = {
        "kube-apiserver": _apiserver(layout),
        "kube-controller-manager": ("--allocate-node-cidrs", f"--cluster-cidr={POD_RANGE}"),
        # The real node has a kubelet.
        "kwok": ("--manage-all-nodes=false", "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"),
    }
    return {
        name: enter("network", dataclasses.replace(each, argv=(*each.argv, *more.get(name, ()))), layout, cgroup)
        for name, each in programs.items()
    }


def _apiserver(layout: NodeLayout) -> tuple[str, ...]:
    pki = layout.testbed.pki
    return (
        "--bind-address=0.0.0.0",  # pods come by the node's address; the network has no other way in
        "--endpoint-reconciler-type=lease",  # pods come by the Service `kubernetes`
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'admin.crt'}",
        f"--kubelet-client-key={pki / 'admin.key'}",
    )


def containerd(layout: NodeLayout, cgroup: str, program: Path) -> Program:
    argv = (str(program), "--config", str(layout.containerd))
    return enter("node", Program(CONTAINERD, argv, env=environment(layout, program.parent)), layout, cgroup)


def kubelet(layout: NodeLayout, cgroup: str, ports: Ports, options: NodeOptions, program: Path) -> Program:
    """Its labels are there from the first moment, as those of GPU feature discovery on a node that comes back."""
    labels = gpu_labels(options.group.gpu, options.group.cards)
    argv = (
        str(program),
        f"--config={layout.kubelet}",
        f"--kubeconfig={layout.testbed.component_kubeconfig(KUBELET)}",
        f"--root-dir={KUBELET_ROOT}",
        f"--hostname-override={options.name}",
        f"--node-ip={NODE_ADDRESS}",
        "--node-labels=" + ",".join(f"{name}={value}" for name, value in labels.items()),
    )
    health = f"http://{LOOPBACK}:{ports.kubelet}/healthz"
    return enter("node", Program(KUBELET, argv, health, environment(layout)), layout, cgroup)


def proxy(layout: NodeLayout, cgroup: str, ports: Ports, program: Path, nft: Path) -> Program:
    argv = (str(program), f"--config={layout.proxy}")
    health = f"http://{LOOPBACK}:{ports.proxy}/livez"
    return enter("node", Program(PROXY, argv, health, environment(layout, nft.parent)), layout, cgroup)


def enter(how: str, program: Program, layout: NodeLayout, cgroup: str) -> Program:
    """The program in the node's `network`, or as a program of the `node`."""
    tracked = str(cgroups.tracking_folder(cgroup))
    argv = _module("enter", how, layout.first_process(), tracked, *program.argv)
    return dataclasses.replace(program, argv=argv)


def entered(layout: NodeLayout, cgroup: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command that runs `argv` inside the node, for everybody but the supervisor."""
    return enter("node", Program("", argv), layout, cgroup).argv


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"tests.testbed.node.{name}", *arguments)


def environment(layout: NodeLayout, *folders: Path) -> dict[str, str]:
    """PATH with the folders first, and a temporary folder that goes with the testbed."""
    path = os.pathsep.join((*map(str, folders), _SYSTEM_PATH))
    return {"PATH": path, "TMPDIR": str(layout.temporary)}
