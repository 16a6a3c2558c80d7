"""Engine faults on a real kubelet: each has its condition and the engine's own words, and none of them flaps.

All deployments of the table run at the same time, side by side.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from meditron_operator import names
from tests.cluster.support import Admin, Manifest
from tests.demo.watching import Watching
from tests.node.conftest import Ground
from tests.node.engine import QUICK, engine_ward, inject, inside, served
from tests.node.faults import BEGIN, SERVING, WHILE_IT_SERVES, WHILE_IT_STARTS, Fault
from tests.node.history import History
from tests.testbed import Testbed
from tests.testbed.node.oci import Image, write_archive
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.node

TABLES = {"starts": WHILE_IT_STARTS, "serves": WHILE_IT_SERVES}
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
    space: str

    def restarts(self, name: str) -> int:
        body = self.admin.get("Pod", self.space, f"{name}-0") or {}
        return sum(each["restartCount"] for each in body.get("status", {}).get("containerStatuses", ()))

    def wait_steps(self, fault: Fault, steps: list[str]) -> None:
        """Until Available has gone so far; further, or elsewhere, ends the test at once."""

        def arrived() -> bool:
            steps_seen = begun(self.history.steps(fault.name, "Available"))
            seen = [step for step in steps_seen if step != fault.perhaps]
            assert seen == steps[: len(seen)], f"{fault.name}: {seen}"
            return seen == steps and self.restarts(fault.name) >= fault.restarts

        wait_for(f"{fault.name} to take the steps {steps}", arrived, LIMIT_SECONDS)


def begun(steps: list[str]) -> list[str]:
    """Without those of the beginning."""
    for step in BEGIN:
        steps = steps[1:] if steps[:1] == [step] else steps
    return steps


@pytest.fixture(scope="module")
def faulty(
    request: pytest.FixtureRequest,
    bridge_bed: Testbed,
    prepare: Callable[[Testbed], Ground],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Faulty]:
    """One of the tables, all of it at once."""
    space = f"faulty-{request.param}"
    ground, admin, history = prepare(bridge_bed), Admin(bridge_bed.kubeconfig), History()
    images = {"double": ground.engine_image, "absent": ABSENT, "hollow": hollow(bridge_bed, tmp_path_factory)}
    with engine_ward(admin, space, ground.weights), Watching(admin, space, (names.KIND,), history):
        for fault in TABLES[request.param]:
            admin.create(manifest(fault, space, images[fault.image]))
        yield Faulty(bridge_bed, admin, history, space)


def manifest(fault: Fault, space: str, image: str) -> Manifest:
    env = {**QUICK, **fault.env}
    return served(fault.name, space, image, path=fault.path, env=env, shutdown={"graceSeconds": 2})


def hollow(bed: Testbed, folders: pytest.TempPathFactory) -> str:
    """An image in which the program that it is to start does not exist."""
    assert bed.node is not None
    layer: Path = folders.mktemp("hollow")
    return bed.node.load(write_archive(Image("hollow", (), ("/nothing",)), layer / "hollow.tar"))


@pytest.mark.parametrize("faulty", ["starts"], indirect=True)
@pytest.mark.parametrize("fault", WHILE_IT_STARTS, ids=lambda fault: fault.name)
def test_a_fault_while_the_engine_starts(faulty: Faulty, fault: Fault) -> None:
    faulty.wait_steps(fault, fault.steps)
    assert re.search(fault.words, faulty.history.words(fault.name, "Available", fault.worst), re.DOTALL)
    assert faulty.history.came_back(fault.name) == {}


@pytest.mark.parametrize("faulty", ["starts"], indirect=True)
def test_the_startup_budget_is_the_rendered_one_and_long(faulty: Faulty) -> None:
    """What the testbed's admission policies shorten in pods, they leave alone in the template."""
    workload = faulty.admin.get("StatefulSet", faulty.space, "hang")
    assert workload is not None
    probe = workload["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 600
    pod = faulty.admin.get("Pod", faulty.space, "hang-0")
    assert pod is not None
    assert pod["spec"]["containers"][0]["startupProbe"]["failureThreshold"] == 5


@pytest.mark.parametrize("faulty", ["serves"], indirect=True)
@pytest.mark.parametrize("fault", WHILE_IT_SERVES, ids=lambda fault: fault.name)
def test_a_fault_while_the_engine_serves(faulty: Faulty, fault: Fault) -> None:
    faulty.wait_steps(replace(fault, restarts=0), [SERVING])
    inject(faulty.bed, faulty.admin, faulty.space, f"{fault.name}-0", **fault.inject)
    if fault.fails_a_request:
        assert "HTTP Error 424" in inside(faulty.bed, faulty.admin, faulty.space, f"{fault.name}-0", ASK)
    faulty.wait_steps(fault, fault.steps)
    assert re.search(fault.words, faulty.history.words(fault.name, "Available", fault.worst), re.DOTALL)
    assert faulty.restarts(fault.name) == 1
    # It serves again, and is measured again.
    assert set(faulty.history.came_back(fault.name)) <= {"Available", "PlanVerified"}
