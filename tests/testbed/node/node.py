"""A running real node: brought up, given images, entered."""

import subprocess
from collections.abc import Callable

from tests.testbed.build import ensure_built
from tests.testbed.cluster import Cluster
from tests.testbed.commands import Program
from tests.testbed.control import Control
from tests.testbed.controlplane import wait_healthy
from tests.testbed.errors import TestbedError
from tests.testbed.layout import REPOSITORY, Layout, Ports
from tests.testbed.node import cilium, commands, configs, images, requirements
from tests.testbed.node.ground import cgroup_of
from tests.testbed.node.oci import Archive
from tests.testbed.node.options import NodeLayout, NodeOptions
from tests.testbed.node.recipes import CILIUM, CNI_PLUGINS, CONTAINERD, RUNC
from tests.testbed.pki import Authority
from tests.testbed.programs import find
from tests.testbed.waiting import wait_for

Progress = Callable[[str], None]

_NODE_USERS = {
    commands.PROXY: ("system:kube-proxy", "testbed"),
    commands.AGENT: ("cilium", "system:masters"),
}
_READY_LIMIT_SECONDS = 120.0
_COMMAND_LIMIT_SECONDS = 120.0


class RealNode:
    """The node of one testbed."""

    def __init__(self, layout: Layout, control: Control, options: NodeOptions) -> None:
        self._testbed = layout
        self._layout = NodeLayout(layout)
        self._control = control
        self._options = options

    @classmethod
    def of(cls, layout: Layout, control: Control) -> "RealNode | None":
        """None when this testbed has no real node."""
        options = NodeLayout(layout).load()
        return cls(layout, control, options) if options else None

    @property
    def name(self) -> str:
        return self._options.name

    @property
    def enforces_policies(self) -> bool:
        """Whether its network plugin knows NetworkPolicies."""
        return self._options.cilium

    def start(self, cluster: Cluster, tell: Progress) -> None:
        """After the control plane. Returns when the node is Ready and its GPUs are in its status."""
        self._write_kubeconfigs()
        tell("starting containerd")
        self._start_containerd(tell)
        self.load(images.pause(self._layout.temporary, tell))
        tell("starting kubelet and kube-proxy")
        self._start_kubelet(tell)
        self._start_proxy(tell)
        self._connect(cluster, tell)
        wait_for(f"node {self.name} to be Ready", lambda: self.name in cluster.ready_nodes(), _READY_LIMIT_SECONDS)
        self._add_gpus(cluster)

    def settle(self, program: str, begin: int, cluster: Cluster) -> None:
        """After a program was started again; its log's part from `begin` on is new."""
        if program == commands.KUBELET:
            self._add_gpus(cluster)
        if program == commands.AGENT:
            log = self._testbed.log_of(program)
            # Healthy long before: until then policies are those of the agent before it.
            wait_for("Cilium to have its pods again", lambda: cilium.RESTORED in log.read_bytes()[begin:], 60)

    def _add_gpus(self, cluster: Cluster) -> None:
        """Into the status, where kubelet leaves them alone until it starts anew. There is no device plugin."""
        group = self._options.group
        cluster.add_capacity(self.name, {group.gpu.resource_name: str(group.cards)})

    def load(self, archive: Archive) -> str:
        """Import an image; returns the name for a pod to say."""
        self.ctr("images", "import", "--local", "--discard-unpacked-layers", str(archive.file))
        return archive.reference

    def ctr(self, *arguments: str) -> str:
        """containerd's own client, in the namespace that kubelet's containers are in."""
        program = str(CONTAINERD.folder / "ctr")
        return self.run(program, "--address", str(configs.CONTAINERD_SOCKET), "--namespace", "k8s.io", *arguments)

    def run(self, *argv: str) -> str:
        """Run a program inside the node, as its root; returns what it prints. Raises TestbedError when it fails."""
        command = commands.entered(self._layout, self._cgroup, argv)
        done = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=_COMMAND_LIMIT_SECONDS
        )
        if done.returncode != 0:
            raise TestbedError(f"{' '.join(argv)} failed in the node with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    @property
    def _cgroup(self) -> str:
        return cgroup_of(self._testbed)

    @property
    def _ports(self) -> Ports:
        return Ports.load(self._testbed)

    def _run(self, program: Program) -> None:
        self._control.run(program)
        wait_healthy(program.name, self._testbed, self._control)

    def _write_kubeconfigs(self) -> None:
        users = {commands.KUBELET: (f"system:node:{self.name}", "system:nodes"), **_NODE_USERS}
        authority = Authority.load(self._testbed)
        for program, (user, group) in users.items():
            path = self._testbed.component_kubeconfig(program)
            path.write_text(authority.kubeconfig(self._ports.api_url, authority.credentials(user, group)))
            path.chmod(0o600)

    def _start_containerd(self, tell: Progress) -> None:
        runc = ensure_built(RUNC, tell) / "runc"
        lowers = requirements.may_lower_oom_scores()
        self._layout.network_plugins.mkdir()
        self._layout.plugin_programs.mkdir()
        self._layout.containerd.write_text(configs.containerd(self._layout, runc, lowers_oom_score=lowers))
        self._run(commands.containerd(self._layout, self._cgroup, ensure_built(CONTAINERD, tell) / "containerd"))
        wait_for("containerd to answer", self._containerd_answers, _READY_LIMIT_SECONDS)

    def _containerd_answers(self) -> bool:
        if not self._control.status()[commands.CONTAINERD].running:
            raise TestbedError(f"containerd ended: see {self._testbed.log_of(commands.CONTAINERD)}")
        try:
            self.ctr("version")
        except TestbedError:
            return False
        return True

    def _start_kubelet(self, tell: Progress) -> None:
        self._layout.kubelet.write_text(configs.kubelet(self._layout, self._ports, self._cgroup))
        program = find(commands.KUBELET, tell)
        self._run(commands.kubelet(self._layout, self._cgroup, self._ports, self._options, program))

    def _start_proxy(self, tell: Progress) -> None:
        kubeconfig = self._testbed.component_kubeconfig(commands.PROXY)
        self._layout.proxy.write_text(configs.proxy(kubeconfig, self._ports, self.name))
        program, nft = find(commands.PROXY, tell), find("nft", tell)
        self._run(commands.proxy(self._layout, self._cgroup, self._ports, program, nft))

    def _connect(self, cluster: Cluster, tell: Progress) -> None:
        """Give pods a network, which is what kubelet waits for."""
        pod_range = wait_for("the node to have addresses for pods", lambda: cluster.pod_range(self.name), 60)
        plugins = ensure_built(CNI_PLUGINS, tell)
        if self._options.cilium:
            tell("starting Cilium's agent")
            self._start_agent(cluster, tell)
            programs = [plugins / "loopback", CILIUM.folder / cilium.PLUGIN]
            configuration = cilium.network_configuration(self._layout)
        else:
            programs = [plugins / name for name in CNI_PLUGINS.packages]
            configuration = configs.bridge(pod_range)
        for program in programs:
            (self._layout.plugin_programs / program.name).symlink_to(program)
        (self._layout.network_plugins / "10-pods.conflist").write_text(configuration)

    def _start_agent(self, cluster: Cluster, tell: Progress) -> None:
        ensure_built(CILIUM, tell)
        cilium.apply_definitions(cluster)
        kubeconfig = self._testbed.component_kubeconfig(commands.AGENT)
        cilium.write_options(self._layout, cilium.options(kubeconfig, self._ports))
        tools = [find(name, tell).parent for name in cilium.TOOLS]
        self._run(cilium.agent(self._layout, self._cgroup, self._ports, self._options, tools))
