"""What happened between two looks at a deployment, one line for each thing."""

from collections.abc import Iterator

from meditron_operator.core.killswitch.effective import Mode
from meditron_operator.core.killswitch.sight import SeenPod, Sight


def events(before: Sight | None, after: Sight) -> tuple[str, ...]:
    """In the order in which a stop goes. Of the first look (`before` is None) all that is off already is told."""
    return tuple(_events(before, after))


def _events(before: Sight | None, after: Sight) -> Iterator[str]:
    if after.shut and after.mode is not Mode.HOLD and not (before and before.shut):
        yield "the API server lets no pod of it in any more"
    if after.policy is False and (before is None or before.policy is not False):
        yield "the clients' policy is gone: nobody may connect"
    elif after.policy and before and before.policy is False:
        yield "the clients' policy is there again"
    yield from _gates(before, after)
    yield from _replicas(before, after)
    yield from _pods(before, after)
    if after.endpoints == 0 and (before is None or before.endpoints != 0):
        yield "its Service leads nowhere: no endpoint is left"
    yield from _told(before, after)


def _gates(before: Sight | None, after: Sight) -> Iterator[str]:
    if after.pods and not any(pod.open for pod in after.pods):
        known = None if before is None or before.pods is None else before.pods
        if known is None or any(pod.open for pod in known):
            yield "the gates are closed: no new connection through its Service"


def _replicas(before: Sight | None, after: Sight) -> Iterator[str]:
    if after.replicas is None or (before is not None and before.replicas == after.replicas):
        return
    if after.replicas == 0:
        yield "its StatefulSet wants no replica"
    elif before is not None:
        yield f"its StatefulSet wants {after.replicas}"


def _pods(before: Sight | None, after: Sight) -> Iterator[str]:
    if after.pods is None:
        return
    known = {pod.uid: pod for pod in (before.pods if before else None) or ()}
    there = {pod.uid: pod for pod in after.pods}
    for uid, pod in there.items():
        if before is not None and before.pods is not None and uid not in known:
            yield f"pod {pod.name} slipped in"
        if _told_to_end(known.get(uid), pod):
            yield f"pod {pod.name} was told to end" + (f" within {pod.grace} s" if pod.grace else " at once")
    for uid, pod in known.items():
        if uid not in there:
            yield f"pod {pod.name} is gone"
    if not there and (before is None or before.pods is None or known):
        yield "no pod is left"


def _told_to_end(before: SeenPod | None, after: SeenPod) -> bool:
    return after.grace is not None and (before is None or before.grace != after.grace)


def _told(before: Sight | None, after: Sight) -> Iterator[str]:
    told, known = after.told, None if before is None else before.told
    if told is not None and (known is None or (known.state, known.message) != (told.state, told.message)):
        yield f"the guard says {told.state}" + (f": {told.message}" if told.message else "")
