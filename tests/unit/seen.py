"""What was seen of a deployment, in one line: for the tables of the status tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from meditron_operator.core.killswitch import Off, SwitchStatus
from meditron_operator.core.live import Live, Ref
from meditron_operator.core.observed import Cluster, Node, Pod
from meditron_operator.core.rollout import History, Rollout, Stage
from meditron_operator.core.status import View
from tests.unit.kit import case, children, live, node, pod, stored

NOW: Final = "2026-02-02T02:02:02Z"
INVALID = {"replicas": -1}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a row of the tables says; everything left out is as it should be."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    off: Off | None = None
    guard: SwitchStatus | None = None
    there: bool = True  # the children
    pods: tuple[Pod, ...] = ()
    nodes: tuple[Node, ...] = (node(),)
    gpu_pods: tuple[Pod, ...] = ()
    workload: Mapping[str, Any] = field(default_factory=dict)  # its status
    extra: tuple[Live, ...] = ()
    without: str = ""
    foreign: tuple[Live, ...] = ()
    failures: tuple[str, ...] = ()
    waiting: tuple[Ref, ...] = ()
    fixed: str = ""
    rollout: Rollout | None = None

    @property
    def view(self) -> View:
        asked = {} if self.spec == INVALID else self.spec
        of = case(self.spec, off=self.off, guard=self.guard)
        manifests = children(asked, stopped=of.cut) if self.there else []
        found = [self._live(item) for item in manifests if item["metadata"]["name"] != self.without]
        rest = {"pods": self.pods, "nodes": self.nodes, "gpu_pods": (*self.pods, *self.gpu_pods)}
        return View(
            case=of,
            cluster=Cluster(children=(*found, *self.extra), **rest),  # type: ignore[arg-type]
            foreign=self.foreign,
            failures=self.failures,
            waiting=self.waiting,
            fixed=self.fixed,
            rollout=self.rollout,
        )

    def _live(self, manifest: dict[str, Any]) -> Live:
        if manifest["kind"] != "StatefulSet":
            return live(manifest)
        obj = stored(manifest)
        replicas = obj["spec"]["replicas"]
        obj["status"] = {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, **self.workload}
        return Live.of("StatefulSet", {key: value for key, value in obj.items() if value is not None})


def policy(name: str, selector: dict[str, Any], **spec: Any) -> Live:
    return Live.of(
        "NetworkPolicy",
        {
            "metadata": {"name": name, "namespace": "clinical-ai", "uid": name, "resourceVersion": "1"},
            "spec": {"podSelector": selector, **spec},
        },
    )


def ended(waiting: str, words: str = "", /, **last: Any) -> Pod:
    state = {"waiting": {"reason": waiting, "message": words}}
    container = {"state": state, "restartCount": 3} | ({"lastState": {"terminated": last}} if last else {})
    return pod(status={"conditions": [], "containerStatuses": [container]})


READY, LOADING = pod(), pod(status={"conditions": []})
GATED = {"nodeName": "node-1", "readinessGates": [{"conditionType": "meditron.ai/serving"}]}
ILL = pod(spec=GATED, status={"conditions": [{"type": "meditron.ai/serving", "status": "True"}]})
"""Was well, runs, and is not well any more."""
UNSCHEDULABLE = {"type": "PodScheduled", "reason": "Unschedulable", "message": "0/3 nodes: volume conflict"}
WAITING = pod(node=None, status={"conditions": [UNSCHEDULABLE]})
HOLDER = pod("holder", namespace="other", gpus=8)
FOREIGN = live(children()[3])
OPEN: Final[list[dict[str, Any]]] = [{"from": [{"podSelector": {}}]}]
LETS_IN = policy("lets-in", {"matchLabels": {"app.kubernetes.io/name": "meditron"}}, ingress=OPEN)


def stage(stage: Stage, message: str) -> Rollout:
    """A rollout that has come so far."""
    return Rollout(stage=stage, message=message, template={}, partition=0, history=History())


LOST = node(conditions=[{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "silent"}])
OUTSIDE = pod(metadata={"labels": {}}, spec={"nodeName": "node-1", "serviceAccountName": "ward"})
"""Somebody took its labels off."""
