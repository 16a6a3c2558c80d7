"""Engine faults on a real kubelet: each has its condition and the engine's own words, and none of them flaps.

All deployments of the table run at the same time, side by side.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from meditron_operator import names
from tests.cluster.support import Admin
from tests.demo.watching import Watching
from tests.node.conftest import Ground
from tests.node.engine import QUICK, engine_ward, inject, inside, served
from tests.node.faults import BEGIN, SERVING, WHILE_IT_SERVES, WHILE_IT_STARTS, Fault
from tests.node.history import History
from tests.testbed import Testbed
from tests.testbed.node.oci import Image, write_archive
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.node

SPACE = "faulty"
LIMIT_SECONDS = 120
ABSENT = "testbed.invalid/none@sha256:" + "0" * 64
ASK = (
    "import urllib.request as r\n"
    "try: r.urlopen(r.Request('http://127.0.0.1:8080/generate', data=b'{\"inputs\": \"x\"}',"
    " headers={'content-type': 'application/json'}))\n"
    "except OSError as failed: print(failed)"
)


@dataclass(frozen=True, slots=True)
class Faulty:
    """All the deployments, and what was seen of them."""

    bed: Testbed
    admin: Admin
    history: History

    def restarts(self, name: str) -> int:
        body = self.admin.get("Pod", SPACE, f"{name}-0") or {}
        return sum(each["restartCount"] for each in body.get("status", {}).get("containerStatuses", ()))

    def wait_steps(self, fault: Fault, steps: list[str]) -> None:
        """Until Available has gone so far; further, or elsewhere, ends the test at once."""

        def arrived() -> bool:
            seen = self.history.steps(fault.name, "Available")
            assert seen == steps[: len(seen)], f"{fault.name}: {seen}"
            return seen == steps and self.restarts(fault.name) >= fault.restarts

        wait_for(f"{fault.name} to take the steps {steps}", arrived, LIMIT_SECONDS)


@pytest.fixture(scope="module")
def faulty(
    bridge_bed: Testbed, prepare: Callable[[Testbed], Ground], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faulty]:
    ground, admin, history = prepare(bridge_bed), Admin(bridge_bed.kubeconfig), History()
    images = {"double": ground.engine_image, "absent": ABSENT, "hollow": hollow(bridge_bed, tmp_path_factory)}
    with engine_ward(admin, SPACE, ground.weights), Watching(admin, SPACE, (names.KIND,), history):
        for fault in (*WHILE_IT_SERVES, *WHILE_IT_STARTS):
            create(admin, fault, images)
        yield Faulty(bridge_bed, admin, history)


def create(admin: Admin, fault: Fault, images: dict[str, str]) -> None:
    env = {**QUICK, **fault.env}
    image = images[fault.image]
    admin.create(served(fault.name, SPACE, image, path=fault.path, env=env, shutdown={"graceSeconds": 2}))


def hollow(bed: Testbed, folders: pytest.TempPathFactory) -> str:
    """An image in which the program that it is to start does not exist."""
    assert bed.node is not None
    layer: Path = folders.mktemp("hollow")
    return bed.node.load(write_archive(Image("hollow", (), ("/nothing",)), layer / "hollow.tar"))


@pytest.mark.parametrize("fault", WHILE_IT_STARTS, ids=lambda fault: fault.name)
def test_a_fault_while_the_engine_starts(faulty: Faulty, fault: Fault) -> None:
    faulty.wait_steps(fault, fault.steps)
    assert re.search(fault.words, faulty.history.words(fault.name, "Available", fault.worst), re.DOTALL)
    assert faulty.history.came_back(fault.name) == {}


@pytest.mark.parametrize("fault", WHILE_IT_SERVES, ids=lambda fault: fault.name)
def test_a_fault_while_the_engine_serves(faulty: Faulty, fault: Fault) -> None:
    faulty.wait_steps(fault, [*BEGIN, SERVING])
    inject(faulty.bed, faulty.admin, SPACE, f"{fault.name}-0", **fault.inject)
    if fault.fails_a_request:
        assert "HTTP Error 424" in inside(faulty.bed, faulty.admin, SPACE, f"{fault.name}-0", ASK)
    faulty.wait_steps(fault, fault.steps)
    assert re.search(fault.words, faulty.history.words(fault.name, "Available", fault.worst), re.DOTALL)
    assert faulty.restarts(fault.name) == 1
    assert set(faulty.history.came_back(fault.name)) <= {"Available"}  # it serves again


def test_the_startup_budget_is_the_rendered_one_and_long(faulty: Faulty) -> None:
    """What the testbed's admission policies shorten in pods, they leave alone in the template."""
    workload = faulty.admin.get("StatefulSet", SPACE, "hang")
    assert workload is not None
    probe = workload["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 600
    pod = faulty.admin.get("Pod", SPACE, "hang-0")
    assert pod is not None
    assert pod["spec"]["containers"][0]["startupProbe"]["failureThreshold"] == 5
