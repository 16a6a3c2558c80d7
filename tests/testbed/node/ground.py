"""Where a control plane stands that has a real node: in the node's network."""

import shutil
from collections.abc import Callable, Mapping

from tests.testbed import instances
from tests.testbed.commands import Program
from tests.testbed.control import Control
from tests.testbed.controlplane import wait_healthy
from tests.testbed.errors import TestbedError
from tests.testbed.layout import Layout, Ports
from tests.testbed.node import cgroups, commands
from tests.testbed.node.options import NodeLayout, NodeOptions


def cgroup_of(layout: Layout) -> str:
    instance = instances.at(layout.root)
    if instance is None:
        raise TestbedError(f"{layout.root} is not a testbed")
    return cgroups.name_of(instance.identity)


class NodeGround:
    """The namespaces of one node, with loopback ports that lead into them."""

    def __init__(self, layout: Layout, control: Control, options: NodeOptions, tell: Callable[[str], None]) -> None:
        self._layout = NodeLayout(layout)
        self._control = control
        self._options = options
        self._tell = tell

    def prepare(self, ports: Ports) -> None:
        """Make the namespaces; when the ports before these were taken, again."""
        testbed, cgroup = self._layout.testbed, cgroup_of(self._layout.testbed)
        cgroups.remove(cgroup)
        shutil.rmtree(self._layout.root, ignore_errors=True)
        self._layout.save(self._options)
        self._layout.temporary.mkdir()
        self._layout.resolver.write_text("nameserver 127.0.0.1\n")  # where nothing answers, at once
        self._tell("making the node's namespaces")
        self._control.run(commands.holder(self._layout, cgroup))
        wait_healthy(commands.HOLDER, testbed, self._control)
        self._control.run(commands.relay(self._layout, ports))
        wait_healthy(commands.RELAY, testbed, self._control)

    def programs(self, programs: Mapping[str, Program]) -> dict[str, Program]:
        return commands.beside_node(programs, self._layout, cgroup_of(self._layout.testbed))
