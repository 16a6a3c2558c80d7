"""What is in the cluster of each deployment, read at once for all of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator import names
from meditron_operator.shell.cluster import CHILDREN
from tests.cluster.support import Admin, Manifest, condition, current
from tests.faults.states import State, state

NAME: Final = "pager"
"""Of every deployment: each has a namespace of its own. Nothing else has this word in it."""

_SELECTOR: Final = f"{names.DEPLOYMENT_LABEL}={NAME}"

RESTS: Final[Mapping[str, frozenset[str] | None]] = {
    "Ready": None,
    "Idle": None,
    "Invalid": None,
    "WaitingForGPU": None,
    "Pending": frozenset({"Unschedulable"}),
    "Degraded": frozenset({"CrashLoop", "ImagePullFailed", "Stalled", "RolledBack"}),
    "RollingOut": frozenset({"OutageNeeded", "NoRoom"}),
}
"""Phases in which it stays until a person does something, and for which reasons; None: whatever they are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One deployment and all that belongs to it."""

    namespace: str
    deployment: Manifest
    children: tuple[tuple[str, Manifest], ...]
    pods: tuple[Manifest, ...]

    @property
    def status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.deployment.get("status", {})
        return status

    @property
    def phase(self) -> str:
        """Empty while there is none."""
        return str(self.status.get("phase", ""))

    @property
    def serves(self) -> bool:
        """Whether all is there that the spec asks for, were it nothing."""
        return self.phase in ("Ready", "Idle")

    @property
    def on_another_card(self) -> bool:
        """Whether auto stays on a card, and would choose another one now."""
        return condition(self.deployment, "PlanCurrent").get("reason") == "BetterChoice"

    @property
    def nowhere(self) -> bool:
        """Whether auto stays on a card, and would find none now."""
        return condition(self.deployment, "PlanCurrent").get("reason") == "CardBarred"

    @property
    def at_rest(self) -> bool:
        """Whether the status speaks of this spec, and of nothing that is on its way."""
        if not current(self.deployment) or self.phase not in RESTS:
            return False
        reasons = RESTS[self.phase]
        if reasons is not None and self.status["reason"] not in reasons:
            return False
        return not self.serves or self._complete

    @property
    def _complete(self) -> bool:
        status = self.status
        measured = len(status.get("measured", {}).get("replicas", []))
        counts = {measured, status["readyReplicas"], status["replicas"], status["desiredReplicas"], len(self.pods)}
        return len(counts) == 1 and condition(self.deployment, "Progressing")["reason"] == "Complete"

    @property
    def state(self) -> State:
        """What a person would compare, with the conditions by their type."""
        told = state(self.children, self.deployment, self.namespace, NAME)
        status = told["itself"]["status"] or {}
        return told | {"itself": status | {"conditions": {each["type"]: each for each in status.get("conditions", ())}}}


def look(admin: Admin) -> dict[str, Seen]:
    """Every deployment that there is, by its namespace."""
    deployments = {body["metadata"]["namespace"]: body for body in _all(admin, names.KIND)}
    children: dict[str, list[tuple[str, Manifest]]] = {namespace: [] for namespace in deployments}
    pods: dict[str, list[Manifest]] = {namespace: [] for namespace in deployments}
    for kind in CHILDREN:
        for body in _all(admin, kind, _SELECTOR):
            children.setdefault(body["metadata"]["namespace"], []).append((kind, body))
    for body in _all(admin, "Pod", _SELECTOR):
        pods.setdefault(body["metadata"]["namespace"], []).append(body)
    return {
        namespace: Seen(namespace, body, tuple(children[namespace]), tuple(pods[namespace]))
        for namespace, body in deployments.items()
    }


def left_over(admin: Admin) -> list[str]:
    """What is there though no deployment is."""
    kinds = (names.KIND, *CHILDREN, "Pod")
    found = [
        (kind, body["metadata"])
        for kind in kinds
        for body in _all(admin, kind, "" if kind == names.KIND else _SELECTOR)
    ]
    return [f"{kind} {meta['namespace']}/{meta['name']}" for kind, meta in found]


def _all(admin: Admin, kind: str, selector: str = "") -> list[Manifest]:
    """Of all namespaces, as JSON: the client's own objects take several times as long."""
    answer = admin.resource(kind).get(label_selector=selector, serialize=False)
    items: list[Manifest] = json.loads(answer.data)["items"]
    return items
