"""Which replica goes next, and which must stay."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.observed import Pod
from meditron_operator.core.rollout.move import Move, Obstacle, Scene, move
from tests.unit.rollout.scenes import NEW, scene

# What is there by ordinal · the partition · who is taken away by the operator · the obstacle
STEPS: list[tuple[list[str], int, list[int], Obstacle | None]] = [
    # the ordinary way: the controller takes the highest, and waits for its successor
    (["old serves", "old serves", "old serves"], 2, [], None),
    (["old serves", "old serves", "old leaves"], 2, [], None),
    (["old serves", "old serves", "missing"], 2, [], None),
    (["old serves", "old serves", "new loads"], 2, [], None),
    (["old serves", "old serves", "new warm"], 2, [], None),
    (["old serves", "old serves", "new serves"], 1, [], None),
    (["old serves", "new serves", "new serves"], 0, [], None),
    (["new serves", "new serves", "new serves"], 0, [], None),
    # a bad template stops at the first
    (["old serves", "old serves", "new crashes"], 2, [], None),
    (["old serves", "old serves", "new unplaced"], 2, [], None),
    (["old serves", "old crashes", "new crashes"], 2, [], None),
    # one that does not serve costs nothing, and only the operator replaces it
    (["old serves", "old serves", "old crashes"], 2, [2], None),
    (["old serves", "old serves", "old loads"], 2, [2], None),
    (["old serves", "old crashes", "new serves"], 1, [1], None),
    # another is on its way back: nothing more is taken
    (["old loads", "old serves", "old serves"], 3, [], None),
    (["missing", "old serves", "old serves"], 3, [], None),
    (["old leaves", "old serves", "old serves"], 3, [], None),
    (["old warm", "old serves", "old serves"], 3, [], None),
    # another can only be healed by the new template: its turn comes later, and the others go on
    (["old crashes", "old serves", "old serves"], 2, [2], None),
    (["old crashes", "old crashes", "old serves"], 3, [], Obstacle.LAST),
    (["old crashes", "old serves"], 2, [], Obstacle.LAST),
    # the last one that serves
    (["old serves"], 1, [], Obstacle.LAST),
    (["old warm"], 1, [], Obstacle.LAST),
    (["old loads"], 0, [0], None),
    # nothing to lose
    (["old crashes", "old crashes", "old imageless"], 0, [0, 1, 2], None),
    (["old crashes", "new crashes"], 0, [0], None),
    # two changes in a row: what neither was there before nor is wanted comes back as it was before
    (["old serves", "old serves", "other serves"], 2, [], None),
    (["old serves", "old serves", "other crashes"], 2, [2], None),
    (["old serves", "other crashes", "other serves"], 3, [1], None),
    (["old serves", "other loads", "other serves"], 3, [], None),
]


def ordinals(pods: tuple[Pod, ...]) -> list[int]:
    return sorted(pod.ordinal for pod in pods if pod.ordinal is not None)


@pytest.mark.parametrize(("there", "partition", "removed", "obstacle"), STEPS, ids=[", ".join(row[0]) for row in STEPS])
def test_step(there: list[str], partition: int, removed: list[int], obstacle: Obstacle | None) -> None:
    found = move(scene(*there))
    assert (found.partition, ordinals(found.remove), found.obstacle) == (partition, removed, obstacle)


# The new template is the current one: somebody took a change back, or it failed. The partition is of no interest.
BACK: list[tuple[list[str], list[int]]] = [
    (["new serves", "new serves", "new serves"], []),
    (["new serves", "new serves", "old crashes"], [2]),
    (["new serves", "old crashes", "old serves"], [1]),
    (["new serves", "new loads", "old serves"], []),
    (["new serves", "new serves", "old serves"], [2]),
    (["new loads", "new serves", "old serves"], []),
    (["old serves"], []),
    (["old crashes"], [0]),
]


@pytest.mark.parametrize(("there", "removed"), BACK, ids=[", ".join(row[0]) for row in BACK])
def test_the_way_back(there: list[str], removed: list[int]) -> None:
    found = move(scene(*there, current="new"))
    assert ordinals(found.remove) == removed
    if found.remove != tuple(scene(*there).pods.values()):
        assert found.partition == len(there), "and a template that is changed by hand restarts nothing"


def test_the_last_one_goes_where_the_spec_says_so() -> None:
    assert move(scene("old serves", allow_outage=True)) == Move(partition=0, next=scene("old serves").pods[0])


def test_one_at_a_time_where_an_outage_is_allowed_too() -> None:
    assert move(scene("old loads", "old serves", allow_outage=True)).partition == 2


def test_no_replica_goes_whose_successor_finds_no_gpu() -> None:
    full = scene("old serves", "old serves", room=lambda _: False)
    assert (move(full).partition, move(full).obstacle) == (2, Obstacle.NO_ROOM)
    assert move(scene("old serves", "old crashes", room=lambda _: False)).partition == 1, "one that crashes may"


WORDS = [
    "missing",
    *(
        f"{revision} {state}"
        for revision in ("old", "new", "other")
        for state in ("serves", "warm", "loads", "crashes", "unplaced", "leaves")
    ),
]
SCENES = st.builds(
    lambda words, current, outage: scene(*words, current=current, allow_outage=outage),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
    st.sampled_from(["old", "new"]),
    st.booleans(),
)


def asked_to_go(seen: Scene, due: Move) -> list[Pod]:
    """By the operator, or by the controller, which takes whatever is not of the wanted revision and not below."""
    by_controller = [pod for at, pod in seen.older.items() if at >= due.partition]
    return [pod for pod in seen.pods.values() if pod in by_controller or pod in due.remove]


@given(SCENES)
def test_what_is_promised(seen: Scene) -> None:
    """At most one replica that serves is asked to go, when all others serve or can't; the last only if allowed."""
    due = move(seen)

    going = [pod for pod in asked_to_go(seen, due) if pod.is_warm]

    assert len(going) <= 1
    for pod in due.remove:
        assert not pod.deleting
        assert pod.revision != NEW
    for pod in going:
        others = {at: other for at, other in seen.pods.items() if other is not pod}
        assert len(others) == seen.wanted - 1, "none is missing"
        assert all(other.serves or at in seen.stuck for at, other in others.items())
        assert seen.allow_outage or any(other.serves for other in others.values())


@given(SCENES)
def test_it_always_goes_on_or_waits_for_something(seen: Scene) -> None:
    due = move(seen)
    if not seen.older:
        return
    waits: Any = [pod for at, pod in seen.pods.items() if not pod.serves and at not in seen.stuck]
    assert asked_to_go(seen, due) or due.obstacle or seen.coming or waits
