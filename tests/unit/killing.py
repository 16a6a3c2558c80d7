"""Raw objects of a stop, as the API server shows them, for the tests of what a person sees."""

from datetime import UTC, datetime
from typing import Any

from meditron_operator import names
from meditron_operator.core.killswitch.sight import Objects, Sight, sights
from meditron_operator.core.killswitch.told import SwitchState, SwitchStatus

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
ENGAGED = {names.KILL_SWITCH: "halt", names.KILL_REASON: "wrong dose", names.KILLED_BY: "anna"}
REQUESTED = {names.RELEASE_REQUESTED_BY: "rita", names.RELEASE_REQUESTED_AT: "2026-01-31T12:00:00Z"}
RELEASED = {**REQUESTED, names.RELEASE_APPROVED_BY: "paul"}
LABELS = {names.DEPLOYMENT_LABEL: "notes"}


def told(state: SwitchState = SwitchState.ENGAGED, **more: Any) -> dict[str, Any]:
    """`status` of a deployment whose guard lives."""
    base: dict[str, Any] = {"scope": "deployment", "mode": "halt", "engaged_at": "2026-01-31T12:00:01.000Z"}
    return {"killSwitch": SwitchStatus(state=state, **(base | more)).wire()}


def deployment(annotations: dict[str, str] | None = None, status: dict[str, Any] | None = None) -> dict[str, Any]:
    meta = {"name": "notes", "namespace": "ward", "annotations": annotations or {}}
    return {"metadata": meta, "status": status or {}}


def namespace(name: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations or {}}}


def pod(name: str = "notes-0", *, open_: bool = False, grace: int | None = None) -> dict[str, Any]:
    ending = {} if grace is None else {"deletionTimestamp": "x", "deletionGracePeriodSeconds": grace}
    gate = {"type": names.SERVING_GATE, "status": "True" if open_ else "False"}
    return {
        "metadata": {"name": name, "namespace": "ward", "uid": f"uid-{name}", "labels": LABELS, **ending},
        "spec": {"nodeName": "n1"},
        "status": {"conditions": [gate]},
    }


def policy(name: str = "notes-allow") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ward", "labels": LABELS}}


def workload(replicas: int) -> dict[str, Any]:
    return {"metadata": {"name": "notes", "namespace": "ward", "labels": LABELS}, "spec": {"replicas": replicas}}


def endpoint_slice(*addresses: str, ready: bool = True) -> dict[str, Any]:
    points = [{"addresses": [each], "conditions": {"ready": ready}} for each in addresses]
    return {"metadata": {"name": "notes-x", "namespace": "ward", "labels": LABELS}, "endpoints": points}


def sight(
    body: dict[str, Any],
    *,
    wards: dict[str, str] | None = None,
    clusters: dict[str, str] | None = None,
    pods: tuple[dict[str, Any], ...] | None = (),
    policies: tuple[dict[str, Any], ...] | None = (),
    workloads: tuple[dict[str, Any], ...] | None = (),
    slices: tuple[dict[str, Any], ...] | None = (),
    shut: bool | None = None,
) -> Sight:
    """What is seen of the deployment `notes` in the namespace `ward`."""
    objects = Objects(
        deployments=(body,),
        operator_namespace="system",
        namespaces=(namespace("ward", wards), namespace("system", clusters)),
        pods=pods,
        policies=policies,
        workloads=workloads,
        slices=slices,
        shut={} if shut is None else {("ward", "notes"): shut},
    )
    return sights(objects)[0]
