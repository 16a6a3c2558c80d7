"""Whether the children are on their way to what the spec asks for, and what stands in the way."""

from collections.abc import Iterator

from meditron_operator import names
from meditron_operator.core.live import Live
from meditron_operator.core.rollout import Rollout, Stage
from meditron_operator.core.status.condition import Condition, Truth, Type
from meditron_operator.core.status.view import View


def progressing(view: View) -> Condition:
    """The condition `Progressing`: the first obstacle, else how far the template has come."""
    return next(_obstacles(view), None) or _rolling(view)


def _obstacles(view: View) -> Iterator[Condition]:
    if view.foreign:
        yield _progressing(Truth.FALSE, "NotOurs", "; ".join(map(_in_the_way, view.foreign)))
    if view.fixed:
        yield _progressing(Truth.FALSE, "ImmutableFields", _make_anew(view))
    if view.failures:
        yield _progressing(Truth.FALSE, "WriteRefused", "; ".join(sorted(set(view.failures))))
    if view.waiting:
        what = ", ".join(map(str, view.waiting))
        message = f"{what}: what the spec asks for waits until the kill switch lets go of the pods"
        yield _progressing(Truth.FALSE, "Held", message)
    if view.workload is None:
        if view.accepted is None:
            yield _progressing(Truth.FALSE, "NotAccepted", "no StatefulSet yet")
        yield _progressing(Truth.TRUE, "Creating", "no StatefulSet yet")
    rollout = _rollout(view)
    if rollout is not None and rollout.stage not in (Stage.ROLLING, Stage.COMPLETE):
        yield _progressing(Truth.FALSE, str(rollout.stage), rollout.message)


def _rolling(view: View) -> Condition:
    """By the numbers of the StatefulSet's controller."""
    workload = view.workload
    status, wanted = (workload.status, workload.body["spec"]["replicas"]) if workload is not None else ({}, 0)
    current = not view.between_templates
    updated = status.get("updatedReplicas", 0) if current else 0
    message = f"{updated} of {wanted} pods have the current template"
    complete = current and updated >= wanted and status.get("replicas", 0) == wanted
    if complete or not (wanted or view.pods):  # of none all are as they should be, whether or not anybody counted
        return _progressing(Truth.FALSE, "Complete", message)
    rollout = _rollout(view)
    then = f"; {rollout.message}" if rollout is not None and rollout.message else ""
    return _progressing(Truth.TRUE, "RollingOut", message + then)


def _rollout(view: View) -> Rollout | None:
    """None while a kill switch is engaged: then nothing is rolled out."""
    return view.rollout if view.case.off is None else None


def _progressing(status: Truth, reason: str, message: str) -> Condition:
    return Condition(Type.PROGRESSING, status, reason, message)


def _make_anew(view: View) -> str:
    name = names.child_name(view.case.owner.name)
    return (
        f"StatefulSet {name}: {view.fixed}, and the API server never changes that: "
        f"`kubectl delete statefulset {name} -n {view.case.owner.namespace} --cascade=orphan` leaves its pods, and the "
        f"operator makes it anew"
    )


def _in_the_way(live: Live) -> str:
    holder = live.controller
    by = f"controlled by {holder['kind']} {holder['name']}" if holder else "not controlled by this deployment"
    return f"{live.ref} exists and is {by}: delete it or rename this deployment"
