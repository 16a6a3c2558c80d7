"""Where the rollout of a deployment stands, and what it needs next."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from meditron_operator.core.compare import digest
from meditron_operator.core.live import Live, Manifest
from meditron_operator.core.observed import Pod
from meditron_operator.core.rollout.failing import Failing, failing, patience_left
from meditron_operator.core.rollout.history import Failed, Good, History
from meditron_operator.core.rollout.move import Move, Obstacle, Scene, move


class Stage(StrEnum):
    """How far it is; the words of the condition `Progressing`."""

    COMPLETE = "Complete"
    ROLLING = "RollingOut"
    OUTAGE = "OutageNeeded"
    NO_ROOM = "NoRoom"
    STALLED = "Stalled"
    ROLLED_BACK = "RolledBack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is asked for and what is there."""

    template: Manifest
    """As it is rendered from the spec."""
    same: bool
    """Whether the StatefulSet has that template already, server's defaults apart."""
    workload: Live | None
    pods: tuple[Pod, ...]
    wanted: int
    """Replicas."""
    allow_outage: bool
    roll_back: bool
    frozen: bool
    """A kill switch is engaged: nothing is replaced."""
    startup_seconds: int
    room: Callable[[Pod], bool]
    history: History
    moment: datetime

    @property
    def replicas(self) -> dict[int, Pod]:
        """The wanted ones that exist, by ordinal."""
        return {pod.ordinal: pod for pod in self.pods if pod.ordinal is not None and pod.ordinal < self.wanted}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What to write, what to say and what to remember."""

    stage: Stage
    message: str = ""
    template: Manifest
    partition: int
    remove: tuple[Pod, ...] = ()
    history: History
    look_again_seconds: float | None = None
    """When time alone may change the answer."""


def roll(seen: Circumstances) -> Rollout:
    """The next step of a rollout, or of the way back."""
    history = _remembered(seen)
    if history.failed is not None:
        return _back(seen, history, history.failed)
    return _onward(seen, history, seen.template, same=seen.same)


def _remembered(seen: Circumstances) -> History:
    """A failure counts while the same template is asked for, and the spec asks to go back."""
    failed = seen.history.failed
    if failed is None or (seen.roll_back and failed.template == digest(seen.template)):
        return seen.history
    return replace(seen.history, failed=None)


def _back(seen: Circumstances, history: History, failed: Failed) -> Rollout:
    """To the last template that served; where that is not known, what is there stays."""
    there = _template(seen.workload)
    template = history.kept or there or seen.template
    moved = _onward(seen, history, template, same=there == template)
    message = (
        f"{failed.message}; {_whereto(moved)}. Change the spec, or set spec.rollout.onFailure to hold to have it "
        f"tried again"
    )
    remembered = replace(moved.history, failed=failed)
    return replace(moved, stage=Stage.ROLLED_BACK, message=message, history=remembered)


def _whereto(moved: Rollout) -> str:
    good = moved.history.good
    if moved.history.kept is None or good is None:
        return "the template that served before can not be read, so all stays as it is"
    whereto = f"the template that served before ({good.revision})"
    return f"all replicas have {whereto}" if moved.stage is Stage.COMPLETE else f"going back to {whereto}"


def _onward(seen: Circumstances, history: History, template: Manifest, *, same: bool) -> Rollout:
    hold = Rollout(stage=Stage.ROLLING, template=template, partition=seen.wanted, history=history)
    workload = seen.workload
    if workload is None:
        return hold
    if seen.frozen:
        return replace(hold, partition=_partition(workload)) if workload.body["spec"].get("replicas") else hold
    if not same:
        return hold if seen.replicas else replace(hold, partition=0)
    scene = _scene(seen, workload)
    if scene is None:
        return replace(hold, partition=_partition(workload))
    return _step(seen, hold, scene, move(scene))


def _step(seen: Circumstances, hold: Rollout, scene: Scene, due: Move) -> Rollout:
    # A replica that goes before the controller knows the partition would come back as it was.
    ready = seen.workload is not None and _partition(seen.workload) == due.partition
    waiting = [patience_left(pod, seen.startup_seconds, seen.moment) for pod in _ailing(scene.pods.values())]
    moved = replace(
        hold,
        partition=due.partition,
        remove=due.remove if ready else (),
        look_again_seconds=min((left for left in waiting if left is not None), default=None),
    )
    good = hold.history.good
    if not scene.older and not scene.coming:
        served = Good(revision=scene.update, template=digest(_template(seen.workload) or {}))
        history = replace(hold.history, good=served) if scene.wanted else hold.history
        return replace(moved, stage=Stage.COMPLETE, history=history)
    if not scene.older and scene.current == scene.update and (good is None or good.revision == scene.update):
        return replace(moved, stage=Stage.COMPLETE)  # a start or a lost replica; nothing is rolled out
    failed = [found for pod in _ailing(_updated(scene)) if (found := failing(pod, seen.startup_seconds, seen.moment))]
    if failed:
        return _stalled(seen, moved, scene, failed)
    return replace(moved, stage=_stage(due), message=_progress(scene, due))


def _stalled(seen: Circumstances, moved: Rollout, scene: Scene, failed: list[Failing]) -> Rollout:
    told, good = "; ".join(map(str, failed)), moved.history.good
    rest = f"{len(scene.older)} of {scene.wanted} replicas keep the template that they have"
    if not any(each.blames_template for each in failed):
        message = f"{told}; {rest}. Free a GPU, or lower spec.replicas to what the nodes hold"
        return replace(moved, stage=Stage.STALLED, message=message)
    if not seen.roll_back:
        message = (
            f"{told}; {rest}. Correct the spec, or take the change back; spec.rollout.onFailure: rollback does that"
        )
    elif good is None or good.revision == scene.update:
        message = f"{told}; {rest}. No other template ever served on all replicas, so there is none to go back to"
    else:
        history = replace(moved.history, failed=Failed(template=digest(seen.template), message=told))
        message = f"{told}; going back to the template that served before ({good.revision})"
        return replace(moved, stage=Stage.STALLED, message=message, history=history)
    return replace(moved, stage=Stage.STALLED, message=message)


def _stage(due: Move) -> Stage:
    if due.obstacle is None:
        return Stage.ROLLING
    return Stage.OUTAGE if due.obstacle is Obstacle.LAST else Stage.NO_ROOM


def _progress(scene: Scene, due: Move) -> str:
    """What is waited for, or what somebody has to do."""
    name = due.next.ref.name if due.next else ""
    if due.obstacle is Obstacle.LAST:
        return (
            f"{name} is the only replica that serves, and keeps the template that it has. Set spec.rollout.allowOutage "
            f"to true to replace it, with no answers until its successor is loaded, or add a replica first"
        )
    if due.obstacle is Obstacle.NO_ROOM:
        return (
            f"{name} serves, and no node would have the GPUs for its successor, even without it. Free or add GPUs, or "
            f"change spec.gpu"
        )
    if scene.coming:
        names = ", ".join(scene.pods[at].ref.name if at in scene.pods else f"replica {at}" for at in scene.coming)
        return f"waiting for {names} to serve"
    return f"{name} is next" if name else ""


def _scene(seen: Circumstances, workload: Live) -> Scene | None:
    """None while the controller has not said yet what the StatefulSet means for the pods."""
    status = workload.status
    update, current = status.get("updateRevision"), status.get("currentRevision")
    if status.get("observedGeneration", 0) < workload.generation or not update or not current:
        return None
    replicas = seen.replicas
    return Scene(
        wanted=seen.wanted,
        pods=replicas,
        update=update,
        current=current,
        stuck=frozenset(
            at
            for at, pod in replicas.items()
            if not pod.is_warm and not pod.deleting and failing(pod, seen.startup_seconds, seen.moment)
        ),
        allow_outage=seen.allow_outage,
        room=seen.room,
    )


def _updated(scene: Scene) -> list[Pod]:
    return [pod for pod in scene.pods.values() if pod.revision == scene.update]


def _ailing(pods: Iterable[Pod]) -> list[Pod]:
    return [pod for pod in pods if not pod.is_warm and not pod.deleting]


def _partition(workload: Live) -> int:
    rolling: dict[str, Any] = workload.body["spec"].get("updateStrategy", {}).get("rollingUpdate") or {}
    return int(rolling.get("partition", 0))


def _template(workload: Live | None) -> Manifest | None:
    return workload.body["spec"].get("template") if workload is not None else None
