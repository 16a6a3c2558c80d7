"""What a person can do about a condition, by its type and reason; what exactly is wrong stands in its message.

Without the modules that judge: the command line starts faster without them.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

_SPEC: Final = "correct the field that the message names; what runs goes on running"
_CATALOG: Final = "use one of the names in the message"

NEXT: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("Accepted", "InvalidSpec"): _SPEC,
        ("Accepted", "UnpinnedSource"): "add @sha256:… to the image that the message names",
        ("Accepted", "UnknownModel"): f"{_CATALOG}, or describe the model in spec.model.shape",
        ("Accepted", "UnknownGPU"): _CATALOG,
        ("Accepted", "DoesNotFit"): "make the change that the message names, or ask `meditron plan` for others",
        ("Accepted", "NoGPUNodes"): "add nodes, or check the device plugin and GPU feature discovery",
        ("PlanCurrent", "BetterChoice"): "nothing has to be done; the message says how to move",
        ("PlanCurrent", "CardGone"): "bring the card back, or name another one in spec.gpu.type",
        ("PlanCurrent", "CardBarred"): "let a node that has the card take replicas again, or correct spec.gpu",
        ("PlanVerified", "PredictionOff"): "do what the message says, and report it",
        ("Scheduled", "WaitingForGPU"): "free GPUs, add a node, or lower spec.replicas",
        ("Scheduled", "NoSuchNode"): "correct spec.gpu, or check the labels of the nodes",
        ("Scheduled", "Unschedulable"): "remove what the scheduler names, often a missing claim or a taint",
        ("Scheduled", "PodsMissing"): "if it stays: kubectl describe statefulset (a quota, Pod Security)",
        ("Available", "Loading"): "wait, as long as the message says",
        ("Available", "Unhealthy"): "wait for its liveness probe to restart it, and read the log of the pod",
        ("Available", "CrashLoop"): "read the log of the pod with kubectl logs --previous, and correct the spec",
        ("Available", "OutOfMemory"): "read its log with kubectl logs --previous: how are the weights stored?",
        ("Available", "ImagePullFailed"): "correct spec.engine.image, or give the nodes the registry's credentials",
        ("Available", "ContainerRefused"): "correct what the message names: often the image, or what it may run as",
        ("Available", "NodeNotReady"): "bring the node back, or delete it once it is certainly off",
        ("Progressing", "NotOurs"): "delete the object that the message names, or rename this deployment",
        ("Progressing", "ImmutableFields"): "run the command in the message; the pods go on running",
        ("Progressing", "WriteRefused"): "remove what refuses it: a quota, an admission policy, a missing right",
        ("Progressing", "Held"): "release the kill switch, or change the spec back",
        ("Progressing", "OutageNeeded"): "set spec.rollout.allowOutage to true, or add a replica first",
        ("Progressing", "NoRoom"): "free or add GPUs, or change spec.gpu",
        ("Progressing", "Stalled"): "correct the spec, or take the change back",
        ("Progressing", "RolledBack"): "correct the spec, or set spec.rollout.onFailure to hold to have it tried again",
        ("Isolated", "PolicyMissing"): "if it stays, see Progressing",
        ("Isolated", "ForeignPolicy"): "remove the policy that the message names",
        ("Isolated", "PodOutside"): "delete the pod that the message names",
        ("Offline", "OnlineAllowed"): "pin the images by digest, and leave spec.offline out",
        ("Stopped", "Engaging"): "wait; for a pod on a lost node make sure that the node is off",
        ("Stopped", "Released"): "annotate meditron.ai/resume when it may run",
    }
)
"""By type and reason; where nothing stands there is nothing to do."""


def next_steps(conditions: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Types of conditions, and what to do about them."""
    for condition in conditions:
        type_, reason = str(condition.get("type")), str(condition.get("reason"))
        if (type_, reason) in NEXT:
            yield type_, NEXT[type_, reason]
