"""The next step from one template to another: which replica goes, and which must stay.

Kubernetes' own rolling update waits for the replica that it replaced, and for nothing else: it takes the only one that
serves, goes on while another is lost, and begins at the highest ordinal even if a lower one crashes. Here the partition
is lowered only for a replica that may go. Promised is: at most one replica that serves is taken away at a time, none
while another one is on its way back, and the last one only where the spec says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from meditron_operator.core.observed import Pod


class Obstacle(StrEnum):
    """Why a replica of an older template is left alone, until somebody does something."""

    LAST = "last"  # no other replica serves
    NO_ROOM = "no room"  # its successor would find no GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a step is decided from."""

    wanted: int
    """Replicas."""
    pods: Mapping[int, Pod]
    """By ordinal; those that exist of the wanted ones."""
    update: str
    """The revision that is wanted."""
    current: str
    """The revision that a replica below the partition is made from."""
    stuck: frozenset[int] = frozenset()
    """Ordinals of the replicas that will not serve by waiting."""
    allow_outage: bool = False
    room: Callable[[Pod], bool]
    """Whether the successor of a replica finds its GPUs once that one is gone."""

    @property
    def comes_back_right(self) -> bool:
        """Whether a replica that goes comes back as it is wanted, whatever the partition is."""
        return self.current == self.update

    def partition(self, lowest: int) -> int:
        """The partition by which the replicas from `lowest` on follow the wanted revision, and no others."""
        return self.wanted if self.comes_back_right else lowest

    @property
    def older(self) -> dict[int, Pod]:
        """The replicas that have yet to go."""
        return {at: pod for at, pod in self.pods.items() if pod.revision != self.update and not pod.deleting}

    @property
    def coming(self) -> tuple[int, ...]:
        """The ordinals whose replica of the wanted template, or of whichever follows, does not serve yet."""
        older = self.older
        return tuple(
            at for at in range(self.wanted) if at not in older and not (at in self.pods and self.pods[at].serves)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One step."""

    partition: int
    """Replicas below are left alone by the StatefulSet's controller."""
    remove: tuple[Pod, ...] = ()
    """Replicas that the controller would not replace."""
    next: Pod | None = None
    """Whose turn it is."""
    obstacle: Obstacle | None = None


def move(scene: Scene) -> Move:
    """The step that is due; the same again until it is done."""
    older = scene.older
    if not older:
        # At rest nothing is below: a template that somebody changes by hand then restarts no replica.
        return Move(partition=scene.wanted if scene.comes_back_right else 0)
    if scene.stuck.issuperset(scene.pods):
        return Move(partition=0, remove=tuple(older.values()))
    return _turn(scene, older, max(older))


def _turn(scene: Scene, older: Mapping[int, Pod], first: int) -> Move:
    """Whether it is the turn of the highest of the older replicas, and whom else nobody would miss."""
    candidate = older[first]
    astray = tuple(pod for at, pod in older.items() if at in scene.stuck and pod.revision != scene.current)
    others = {at: pod for at, pod in scene.pods.items() if at != first}
    wait = Move(partition=scene.partition(first + 1), remove=astray, next=candidate)
    go = replace(wait, partition=scene.partition(first))
    if scene.coming:
        return wait
    if not candidate.is_warm:
        return replace(go, remove=(candidate, *(pod for pod in astray if pod is not candidate)))
    if astray or any(not pod.serves and at not in scene.stuck for at, pod in others.items()):
        return wait
    obstacle = _obstacle(scene, candidate, others)
    if obstacle is not None:
        return replace(wait, obstacle=obstacle)
    # The controller waits for whoever does not serve, also for one that only a new template can heal.
    alone = not scene.comes_back_right and all(pod.serves for pod in others.values())
    return go if alone else replace(go, remove=(candidate,))


def _obstacle(scene: Scene, candidate: Pod, others: Mapping[int, Pod]) -> Obstacle | None:
    if not scene.allow_outage and not any(pod.serves for pod in others.values()):
        return Obstacle.LAST
    return None if scene.room(candidate) else Obstacle.NO_ROOM
