"""What a real node is asked to be."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.testbed.layout import Layout
from tests.testbed.node.machine import RESOLVER
from tests.testbed.nodes import NodeGroup, parse_nodes

DEFAULT_GPUS = "A100-80GB:8"


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """A node with real containers; its GPUs are in its status only."""

    name: str = "real-0"
    gpus: str = DEFAULT_GPUS
    """As in `--nodes`."""
    cilium: bool = False
    """Cilium's agent instead of the bridge plugin: network policies are enforced."""

    @property
    def group(self) -> NodeGroup:
        """Raises TestbedError when `gpus` is not understood."""
        return parse_nodes(self.gpus)[0]


@dataclass(frozen=True, slots=True)
class NodeLayout:
    """The paths below a testbed's folder that only a real node has."""

    testbed: Layout

    @property
    def root(self) -> Path:
        return self.testbed.root / "node"

    @property
    def options(self) -> Path:
        return self.root / "options.json"

    @property
    def namespaces(self) -> Path:
        """Written once they are there: the holder's process id, and that of the first process inside."""
        return self.root / "namespaces"

    @property
    def relay(self) -> Path:
        """Written once it listens: the relay's process id."""
        return self.root / "relay"

    @property
    def network_plugins(self) -> Path:
        """CNI configuration: kubelet says NotReady while it is empty."""
        return self.root / "cni"

    @property
    def plugin_programs(self) -> Path:
        return self.root / "cni-bin"

    @property
    def pod_logs(self) -> Path:
        return self.root / "pod-logs"

    @property
    def containerd(self) -> Path:
        return self.root / "containerd.toml"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet.yaml"

    @property
    def proxy(self) -> Path:
        return self.root / "kube-proxy.yaml"

    @property
    def resolver(self) -> Path:
        return self.root / RESOLVER

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def agent(self) -> Path:
        """Cilium's options, one file each, and what it writes."""
        return self.root / "cilium"

    def first_process(self) -> str:
        """The id of the first process inside the namespaces."""
        return self.namespaces.read_text().split()[1]

    def save(self, options: NodeOptions) -> None:
        self.root.mkdir()
        self.options.write_text(json.dumps(asdict(options)))

    def load(self) -> NodeOptions | None:
        """None when this testbed has no real node."""
        return NodeOptions(**json.loads(self.options.read_text())) if self.options.exists() else None
