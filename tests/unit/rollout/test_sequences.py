"""Rollouts from beginning to end, against a model of the StatefulSet's controller and whatever happens to replicas."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.rollout.move import Scene, move
from tests.unit.rollout.scenes import NEW, OLD, OTHER, replica

WORDS = {OLD: "old", NEW: "new", OTHER: "other"}
BAD = OTHER
"""The revision whose engine never starts."""


@dataclass
class World:
    """A StatefulSet at `wanted` replicas. `waits`: as Kubernetes 1.35 and later take the healthy ones."""

    wanted: int
    waits: bool
    update: str = OLD
    current: str = OLD
    partition: int = 0
    pods: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Revision and state by ordinal."""
    taken: set[int] = field(default_factory=set)
    """Ordinals from which a replica that served was taken, and no successor serves yet."""

    @property
    def serving(self) -> int:
        return sum(state == "serves" for _, state in self.pods.values())

    def operate(self) -> None:
        """One pass of the operator: first the partition, and, once that is known, the rest."""
        due = move(self.seen())
        if due.partition != self.partition:
            self.partition = due.partition
            return
        for pod in due.remove:
            if pod.ordinal is not None:
                self.take(pod.ordinal)

    def seen(self) -> Scene:
        pods = {at: replica(at, f"{WORDS[revision]} {state}") for at, (revision, state) in self.pods.items()}
        stuck = frozenset(at for at, (_, state) in self.pods.items() if state == "crashes")
        return Scene(
            wanted=self.wanted, pods=pods, update=self.update, current=self.current, stuck=stuck, room=lambda _: True
        )

    def control(self) -> None:
        """One pass of the controller: make what is missing, else take one that may go."""
        for at in range(self.wanted):
            if at not in self.pods:
                revision = self.current if at < self.partition else self.update
                self.pods[at] = revision, "loads"
                return
        if self.serving == self.wanted and all(revision == self.update for revision, _ in self.pods.values()):
            self.current = self.update
        if self.waits and self.serving < self.wanted:
            return
        for at in range(self.wanted - 1, self.partition - 1, -1):
            revision, state = self.pods[at]
            if revision != self.update:
                self.take(at)
                return
            if state != "serves":
                return

    def take(self, at: int) -> None:
        if self.pods.pop(at)[1] == "serves":
            self.taken.add(at)

    def start(self, at: int) -> None:
        revision, state = self.pods.get(at, ("", ""))
        if state == "loads":
            self.pods[at] = revision, "crashes" if revision == BAD else "serves"
            if revision != BAD:
                self.taken.discard(at)

    def edit(self, revision: str) -> None:
        """As the operator writes a template: with the partition above all replicas."""
        self.update, self.partition = revision, self.wanted

    def lose(self, at: int) -> None:
        """A node is drained, or dies."""
        self.pods.pop(at, None)


def settled(wanted: int, *, waits: bool = True) -> World:
    world = World(wanted, waits, partition=wanted)
    world.pods = dict.fromkeys(range(wanted), (OLD, "serves"))
    return world


def run(world: World, passes: int = 60) -> None:
    """Nothing more happens to it."""
    for _ in range(passes):
        world.operate()
        world.control()
        for at in range(world.wanted):
            world.start(at)


EVENTS = st.one_of(
    st.sampled_from([("operate", 0), ("control", 0)]),
    st.tuples(st.sampled_from(["start", "lose"]), st.integers(0, 3)),
    st.tuples(st.just("edit"), st.sampled_from([OLD, NEW, BAD])),
)


@given(st.integers(2, 4), st.booleans(), st.lists(EVENTS, max_size=60))
def test_never_more_than_one_is_taken_at_a_time(wanted: int, waits: bool, events: list[tuple[str, int]]) -> None:
    world = settled(wanted, waits=waits)
    for what, which in events:
        getattr(world, what)(*([] if what in ("operate", "control") else [which]))
        assert len(world.taken) <= 1, world


@given(st.lists(EVENTS, max_size=40), st.booleans())
def test_a_good_template_gets_everywhere(events: list[tuple[str, int]], waits: bool) -> None:
    world = settled(3, waits=waits)
    for what, which in events:
        getattr(world, what)(*([] if what in ("operate", "control") else [which]))
    world.edit(NEW)
    run(world)
    assert world.pods == dict.fromkeys(range(3), (NEW, "serves"))
    assert world.partition == 3


@pytest.mark.parametrize("waits", [True, False])
def test_a_bad_template_gets_nowhere_and_back(waits: bool) -> None:
    world = settled(3, waits=waits)
    world.edit(BAD)
    run(world)
    assert [revision for revision, _ in world.pods.values()] == [OLD, OLD, BAD]
    assert world.serving == 2

    world.edit(OLD)
    run(world)
    assert world.pods == dict.fromkeys(range(3), (OLD, "serves"))
