"""Each fault of the table, between the operator and a real API server: afterwards everything is as it should be."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pytest

from meditron_operator import names
from meditron_operator.shell.cluster import CHILDREN
from tests.cluster.support import Admin, deployment
from tests.cluster.wards import shared_ward
from tests.faults.calls import writes_in
from tests.faults.operators import Operator, Start, running
from tests.faults.proxy import FaultProxy
from tests.faults.report import Finding, write
from tests.faults.states import State, lasting, state_of
from tests.faults.table import ROWS, Row
from tests.testbed import Testbed

pytestmark = pytest.mark.cluster

LIMIT_SECONDS: Final = 60.0
WRITES_LIMIT: Final = 3.0
"""As many times as without a fault."""
QUIET_SECONDS: Final = 2.0
CLEAN: Final = (Row("clean", "no fault", ()), Row("clean again", "no fault", ()))
"""How many writes it takes without a fault depends on what comes in one pass: the more of two runs counts."""

T = TypeVar("T")


@dataclass(slots=True)
class Scene:
    """A ward with a deployment for each fault that was there before, and what all of them must come to."""

    admin: Admin
    proxy: FaultProxy
    namespace: str
    writes: int = 0
    state: tuple[State, State] = field(default_factory=lambda: ({}, {}))

    def before(self, row: Row) -> str:
        return f"old-{_word(row)}"

    def new(self, row: Row) -> str:
        return f"new-{_word(row)}"

    def disturb(self, row: Row) -> None:
        """What happens meanwhile: one is made, one is changed, and a child of that is deleted."""
        self.admin.create(deployment(self.new(row), self.namespace, replicas=0))
        change = {"spec": {"shutdown": {"graceSeconds": 99}}}
        self.admin.patch(names.KIND, self.namespace, self.before(row), change)
        self.admin.delete("Service", self.namespace, self.before(row))

    def bystanders(self, row: Row) -> State:
        """Each child of all others by its uid, and what they say of themselves: nothing of it may ever get lost."""
        mine = (self.before(row), self.new(row))
        children = {
            f"{kind} {body['metadata']['name']}": body["metadata"]["uid"]
            for kind in CHILDREN
            for body in self.admin.list(kind, self.namespace, f"{names.DEPLOYMENT_LABEL} notin ({','.join(mine)})")
        }
        others = (body for body in self.admin.list(names.KIND, self.namespace) if body["metadata"]["name"] not in mine)
        return children | {body["metadata"]["name"]: lasting(body.get("status")) for body in others}

    def states(self, row: Row) -> tuple[State, State]:
        old, new = (state_of(self.admin, self.namespace, name) for name in (self.before(row), self.new(row)))
        return old, new

    def writes_since(self, position: int) -> int:
        about = writes_in(self.namespace)
        return sum(about(call) for call in self.proxy.calls[position:])


def _word(row: Row) -> str:
    return row.name.replace(" ", "-")


@pytest.fixture(scope="module")
def program(start: Start) -> Iterator[Operator]:
    """One operator has to live through all of it."""
    with running(start) as one:
        yield one


@pytest.fixture(scope="module")
def scene(bed: Testbed, admin: Admin, proxy: FaultProxy, program: Operator) -> Iterator[Scene]:
    with shared_ward(admin, "faults-table") as namespace:
        scene = Scene(admin, proxy, namespace)
        for row in (*CLEAN, *ROWS):
            admin.create(deployment(scene.before(row), namespace, replicas=0))
        for row in (*CLEAN, *ROWS):
            admin.wait_settled(namespace, scene.before(row), "Idle", LIMIT_SECONDS)
        for row in CLEAN:
            known = len(proxy.calls)
            scene.disturb(row)
            settled(scene, row, LIMIT_SECONDS)
            scene.writes, scene.state = max(scene.writes, all_writes(scene, known)), scene.states(row)
        yield scene
    bed.wait_admitting()  # the next module finds the API server as it was


@pytest.fixture(scope="module")
def findings(request: pytest.FixtureRequest) -> Iterator[list[Finding]]:
    """What the rows came to; all of them, with `--write-faults`, become the table of the documentation."""
    found: list[Finding] = []
    yield found
    if request.config.getoption("--write-faults", default=False) and len(found) == len(ROWS):
        write(found)


def settled(scene: Scene, row: Row, seconds: float) -> None:
    """Wait until all that was asked for is there. The last word of a status may come after that."""
    until = time.monotonic() + seconds
    for name in (scene.before(row), scene.new(row)):
        scene.admin.wait_settled(scene.namespace, name, "Idle", max(1.0, until - time.monotonic()))
        left = max(1.0, until - time.monotonic())
        scene.admin.wait("Service", scene.namespace, name, lambda body: body is not None, left)


def eventually(look: Callable[[], T], wanted: T, until: float) -> T:
    """What is seen, once it is what is wanted, or as it is at the end of the time."""
    while (seen := look()) != wanted and time.monotonic() < until:
        time.sleep(0.1)
    return seen


def all_writes(scene: Scene, position: int) -> int:
    """Once none has come for a while: Events and the last status change no state that is compared."""
    count, since = scene.writes_since(position), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.1)
        if (now := scene.writes_since(position)) != count:
            count, since = now, time.monotonic()
    return count


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_comes_right(bed: Testbed, scene: Scene, program: Operator, findings: list[Finding], row: Row) -> None:
    others, known = scene.bystanders(row), len(scene.proxy.calls)
    with scene.proxy.fault(*row.rules) as armed:
        scene.disturb(row)
        if row.cuts_watches:
            scene.proxy.cut_watches()
        if row.kills:
            bed.kill(row.kills)
        time.sleep(row.seconds)
        if row.kills:
            bed.start_program(row.kills)
            bed.wait_admitting()  # until then it refuses what it has policies for, which is part of its outage
    ended = time.monotonic()

    settled(scene, row, LIMIT_SECONDS)
    state = eventually(lambda: scene.states(row), scene.state, ended + LIMIT_SECONDS)
    unharmed = eventually(lambda: scene.bystanders(row), others, ended + LIMIT_SECONDS)

    took, writes = time.monotonic() - ended, scene.writes_since(known)
    findings.append(Finding(row, armed.hits, took, writes / scene.writes))
    print(f"\n{row.name}: hit {armed.hits}, came right in {took:.1f} s, {writes} writes ({scene.writes} without)")
    assert armed.hits
    assert state == scene.state
    assert unharmed == others
    assert [call for call in scene.proxy.calls[known:] if call.verb.startswith("delete")] == []
    assert took <= LIMIT_SECONDS
    assert writes <= WRITES_LIMIT * scene.writes
    assert program.alive
    assert program.crashes() == []
