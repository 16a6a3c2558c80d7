"""The node's network: an own network namespace that has no way out."""

import shutil
import subprocess
from pathlib import Path

from tests.testbed.layout import NODE_ADDRESS

NODE_DEVICE = "node0"
POD_RANGE = "10.244.0.0/16"
DNS_ADDRESS = "10.96.0.10"

_SETUP = f"""\
link set lo up
link add {NODE_DEVICE} type veth peer name {NODE_DEVICE}-peer
address add {NODE_ADDRESS}/24 dev {NODE_DEVICE}
link set {NODE_DEVICE} up
link set {NODE_DEVICE}-peer up
route add default via 10.0.0.1 dev {NODE_DEVICE}
"""
"""A pair whose other end nobody holds. Kubelet and network plugins want a default route; this one leads nowhere."""


def make_network() -> None:
    """In a new network namespace: the node's address, and forwarding between its pods."""
    subprocess.run([str(shutil.which("ip")), "-batch", "-"], input=_SETUP, text=True, check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
