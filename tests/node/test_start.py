"""A node that can't start as asked: it starts otherwise, or says why in one line and leaves nothing."""

import dataclasses
import socket
from pathlib import Path

import pytest

from tests.testbed import Testbed, TestbedError, controlplane
from tests.testbed.commands import Program
from tests.testbed.layout import LOOPBACK, allot_ports
from tests.testbed.node import cgroups, commands, configs
from tests.testbed.node.options import NodeLayout, NodeOptions

pytestmark = pytest.mark.node


def test_a_port_that_is_lost_to_another_process_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        taken = dataclasses.replace(allot_ports(), api=other.getsockname()[1])
        offers = iter((taken, allot_ports()))
        monkeypatch.setattr(controlplane, "allot_ports", lambda: next(offers))
        with Testbed.start(tmp_path / "bed", nodes="", node=NodeOptions()) as bed:
            assert all(program.running for program in bed.status().values())


def test_a_program_that_ends_at_once_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    create = commands.holder

    def holder(layout: NodeLayout, cgroup: str) -> Program:
        made.append(cgroup)
        return create(layout, cgroup)

    monkeypatch.setattr(commands, "holder", holder)
    monkeypatch.setattr(configs, "kubelet", lambda *_: "kind: Nonsense\n")
    with pytest.raises(TestbedError, match=r"^kubelet ended with code 1 before it was healthy\n"):
        Testbed.start(tmp_path / "bed", nodes="", node=NodeOptions())
    assert not (tmp_path / "bed").exists()
    [cgroup] = made
    assert not [each.path for each in cgroups.hierarchies() if (each.path / cgroup).exists()]
