"""One function for each condition: from a view to a statement."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from meditron_operator import names
from meditron_operator.core.assess import Accepted
from meditron_operator.core.compare import matches
from meditron_operator.core.decide import is_ours
from meditron_operator.core.killswitch import Engaged
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Pod
from meditron_operator.core.render.meta import labels
from meditron_operator.core.render.network import deny
from meditron_operator.core.selectors import selects
from meditron_operator.core.status.condition import Condition, Truth, Type
from meditron_operator.core.status.measuring import plan_verified
from meditron_operator.core.status.planning import plan_current
from meditron_operator.core.status.progress import progressing
from meditron_operator.core.status.scheduling import scheduled
from meditron_operator.core.status.stopping import stopped
from meditron_operator.core.status.view import View

Judgement = Callable[[View], Condition]

_TROUBLE_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "OOMKilled": "OutOfMemory",
        "CrashLoopBackOff": "CrashLoop",
        "ImagePullBackOff": "ImagePullFailed",
        "ErrImagePull": "ImagePullFailed",
        "ErrImageNeverPull": "ImagePullFailed",
        "ImageInspectError": "ImagePullFailed",
        "InvalidImageName": "ImagePullFailed",
        "CreateContainerConfigError": "ContainerRefused",
        "CreateContainerError": "ContainerRefused",
        "RunContainerError": "ContainerRefused",
        "StartError": "ContainerRefused",
        "ContainerCannotRun": "ContainerRefused",
    }
)


NODE_NOT_READY: Final = "NodeNotReady"


def accepted(view: View) -> Condition:
    """Whether the spec can be carried out."""
    verdict = view.case.verdict
    if isinstance(verdict, Accepted):
        note = "" if verdict.sized.spec.engine.run_as_non_root else "; the engine runs as root, as asked"
        return Condition(Type.ACCEPTED, Truth.TRUE, "Valid", verdict.sized.plan.explanation + note)
    return Condition(Type.ACCEPTED, Truth.FALSE, verdict.reason, verdict.message)


def available(view: View) -> Condition:
    """Whether at least one replica answers clients."""
    ready, wanted, trouble = view.ready_replicas, view.wanted_replicas, _trouble(view)
    if view.case.off is not None:
        why = "the kill switch is engaged" if isinstance(view.case.off, Engaged) else "released, and not resumed yet"
        return Condition(Type.AVAILABLE, Truth.FALSE, "Stopped", why)
    if ready:
        but = f"; {trouble.message}" if trouble else ""
        return Condition(Type.AVAILABLE, Truth.TRUE, "Serving", f"{ready} of {wanted} replicas are ready{but}")
    if view.accepted is None and view.workload is None:
        return Condition(Type.AVAILABLE, Truth.FALSE, "NotAccepted", "nothing was deployed: see Accepted")
    if wanted == 0:
        return Condition(Type.AVAILABLE, Truth.FALSE, "ScaledToZero", "replicas is 0")
    return trouble or _loading(view)


def _trouble(view: View) -> Condition | None:
    """What keeps the first of the pods that can't serve from serving."""
    unready = {node.name: node.unready for node in view.cluster.nodes if node.unready}
    for pod in view.pods:
        if pod.node in unready and not pod.serves:
            message = f"{pod.ref.name}: its node {pod.node} is not ready: {unready[pod.node]}"
            return Condition(Type.AVAILABLE, Truth.FALSE, NODE_NOT_READY, message)
        if pod.trouble is not None:
            reason = _TROUBLE_REASONS.get(pod.trouble.reason, "CrashLoop")
            return Condition(Type.AVAILABLE, Truth.FALSE, reason, f"{pod.ref.name}: {pod.trouble.told(pod.restarts)}")
        if pod.is_ill and not pod.deleting:
            message = f"{pod.ref.name}: the engine runs, and does not answer its health check any more"
            return Condition(Type.AVAILABLE, Truth.FALSE, "Unhealthy", message)
    return None


def _loading(view: View) -> Condition:
    if scheduled(view).status is not Truth.TRUE:
        return Condition(Type.AVAILABLE, Truth.FALSE, "NotScheduled", "no replica has a node yet: see Scheduled")
    budget = f"may take {view.launch.startup_budget_seconds} s" if view.launch else "no budget is known"
    since = min((pod.created for pod in view.pods), default="")
    return Condition(Type.AVAILABLE, Truth.FALSE, "Loading", f"loading since {since}; {budget}")


def isolated(view: View) -> Condition:
    """Whether the policies that shut the model in are there; that the network plugin enforces them is not
    known until something probes it."""
    owner = view.case.owner
    if view.accepted is None and view.workload is None:
        return Condition(Type.ISOLATED, Truth.UNKNOWN, "NotAccepted", "nothing was deployed: see Accepted")
    denies = names.child_name(owner.name, names.DENY_SUFFIX)
    live = view.cluster.child("NetworkPolicy", denies)
    if live is None or not matches(deny(owner), live, None):
        return Condition(Type.ISOLATED, Truth.FALSE, "PolicyMissing", f"NetworkPolicy {denies} is not in place")
    outside = [pod.ref.name for pod in view.cluster.pods if _is_outside(pod, view)]
    if outside:
        message = (
            f"pod {', '.join(sorted(outside))} runs with the service account of this deployment and without its label, "
            f"so that no policy shuts it in: delete it"
        )
        return Condition(Type.ISOLATED, Truth.FALSE, "PodOutside", message)
    opened = [policy for policy in (*view.cluster.policies, *view.cluster.children) if _opens(policy, view)]
    if opened:
        who = ", ".join(sorted({policy.ref.name for policy in opened}))
        message = f"NetworkPolicy {who} also selects these pods and adds to who may connect: remove it"
        return Condition(Type.ISOLATED, Truth.FALSE, "ForeignPolicy", message)
    return Condition(
        Type.ISOLATED,
        Truth.UNKNOWN,
        "Unverified",
        "the policies are in place; that the cluster's network plugin enforces them has not been probed",
    )


def offline(view: View) -> Condition:
    """Whether nothing of it comes from outside, or would look there. That it can't get out is Isolated."""
    if view.sized is None:
        return Condition(Type.OFFLINE, Truth.UNKNOWN, "NotAccepted", "nothing new is deployed: see Accepted")
    spec = view.sized.spec
    if not spec.offline:
        message = "offline is false: images may go by a tag, and the engine may look for the Hub; no policy lets it out"
        return Condition(Type.OFFLINE, Truth.FALSE, "OnlineAllowed", message)
    claim = spec.model.source.persistent_volume_claim
    weights = f"claim {claim.claim_name}" if claim else "an image"
    message = f"weights from {weights}, every image pinned by its digest, and the engine is told not to go online"
    return Condition(Type.OFFLINE, Truth.TRUE, "Enforced", message)


def _is_outside(pod: Pod, view: View) -> bool:
    """Whether somebody took the label off that the policies go by, or made a pod that looks like a replica."""
    ours = pod.service_account == names.child_name(view.case.owner.name)
    return ours and pod.deployment is None and not pod.finished


def _opens(policy: Live, view: View) -> bool:
    """Whether it is a policy that the operator didn't make and that allows traffic to or from these pods."""
    owner = view.case.owner
    ours = policy.ref.name in names.child_names(owner.name) and is_ours(policy, owner)
    if policy.ref.kind != "NetworkPolicy" or ours:
        return False
    spec = policy.body["spec"]
    if not (spec.get("ingress") or spec.get("egress")):
        return False
    wearers = [
        labels(owner.name),
        *(pod.labels for pod in view.cluster.pods),
    ]  # pods have some of their own
    return any(selects(spec.get("podSelector", {}), worn) for worn in wearers)


JUDGEMENTS: Final[tuple[Judgement, ...]] = (
    accepted,
    plan_current,
    plan_verified,
    scheduled,
    available,
    progressing,
    isolated,
    offline,
    stopped,
)
