"""What a step came to, and in what two ends of it differ."""

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.compare import digest
from tests.cluster.replicas import serves
from tests.cluster.support import Admin, Manifest
from tests.faults.crashes.rounds import COLOURS, NAME
from tests.faults.states import State, state_of

EVENT_LIMIT: Final = 2
"""How often an Event of the clean run may be posted."""


@dataclass(frozen=True, slots=True)
class End:
    """Everything in a namespace that the operator is to answer for."""

    state: State
    """Children and status; of each pod whether it has the template of now, and serves."""
    revisions: int
    started: Mapping[str, int]
    """Pods that were made in this step."""
    told: Mapping[str, int]
    """Events of this step."""


def state_in(admin: Admin, namespace: str, operator_namespace: str) -> State:
    """What is there, without what differs between two runs that are the same."""
    state = state_of(admin, namespace, NAME)
    workload = admin.get("StatefulSet", namespace, NAME)
    pods = admin.list("Pod", namespace)
    state["pods"] = {pod["metadata"]["name"]: _told(pod, workload) for pod in pods}
    if state["itself"] is not None and workload is not None:
        _resolve(state["itself"]["status"], workload)
    state["measured"] = _measured(admin, namespace, {pod["metadata"]["uid"] for pod in pods})
    text = json.dumps(state).replace(operator_namespace, "OPERATOR")
    for colour in COLOURS:
        text = text.replace(colour, "COLOUR")
    told: State = json.loads(text)
    return told


def _told(pod: Manifest, workload: Manifest | None) -> dict[str, bool]:
    revision = pod["metadata"].get("labels", {}).get("controller-revision-hash")
    newest = workload is not None and revision == workload.get("status", {}).get("updateRevision")
    return {"has the template of now": newest, "serves": serves(pod)}


def _measured(admin: Admin, namespace: str, uids: Container[str]) -> list[bool]:
    """Of each replica that the status has readings of, whether its pod is there."""
    body = admin.get(names.KIND, namespace, NAME) or {}
    return [replica["uid"] in uids for replica in body.get("status", {}).get("measured", {}).get("replicas", [])]


def _resolve(status: Manifest, workload: Manifest) -> None:
    """Names of templates are others in each run; what they name must be what is there."""
    good = status.get("rollout", {}).get("lastGood")
    if good is not None:
        good["revision"] = good["revision"] == workload["status"].get("updateRevision")
        good["template"] = good["template"] == digest(workload["spec"]["template"])


def events(admin: Admin, namespace: str) -> dict[str, str]:
    """What each Event of the operator tells, by its name."""
    ours = [each for each in admin.list("Event", namespace) if each["source"].get("component") == names.OPERATOR_NAME]
    return {each["metadata"]["name"]: f"{each['reason']}: {each['message']}" for each in ours}


def revisions(admin: Admin, namespace: str) -> int:
    return len(admin.list("ControllerRevision", namespace))


def differences(clean: End, seen: End) -> tuple[str, ...]:
    """In words; empty when they are the same."""
    told = [
        f"told {count} times: {words}"
        for words, count in seen.told.items()
        if count > EVENT_LIMIT * max(1, clean.told.get(words, 0))
    ]
    rest = {"revisions": (clean.revisions, seen.revisions), "started pods": (clean.started, seen.started)}
    changed = [
        f"{what}: {before} in a clean run, now {after}" for what, (before, after) in rest.items() if before != after
    ]
    return (*_unlike(clean.state, seen.state, ""), *changed, *told)


def _unlike(clean: Any, seen: Any, path: str) -> Iterator[str]:
    if isinstance(clean, Mapping) and isinstance(seen, Mapping):
        for key in sorted(clean.keys() | seen.keys()):
            yield from _unlike(clean.get(key), seen.get(key), f"{path}/{key}")
    elif isinstance(clean, list) and isinstance(seen, list) and len(clean) == len(seen):
        for place, (before, after) in enumerate(zip(clean, seen, strict=True)):
            yield from _unlike(before, after, f"{path}/{place}")
    elif clean != seen:
        yield f"{path}: {clean} in a clean run, now {seen}"


def counted(words: Mapping[str, str]) -> dict[str, int]:
    """How often each is told."""
    return dict(Counter(words.values()))
