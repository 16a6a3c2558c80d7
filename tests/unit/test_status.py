"""Conditions: from what was seen to a reason and words."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meditron_operator.core.advice import NEXT
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Cluster
from meditron_operator.core.rollout import Stage
from meditron_operator.core.status import View, condition_changes, event, summarize
from meditron_operator.core.status.condition import MAX_MESSAGE, Condition, Truth, Type
from tests.unit.kit import DIGEST, HALT, RELEASED, case, children, cluster, node, pod, stored
from tests.unit.seen import (
    FOREIGN,
    HOLDER,
    ILL,
    INVALID,
    LETS_IN,
    LOADING,
    LOST,
    NOW,
    OPEN,
    OUTSIDE,
    READY,
    WAITING,
    Seen,
    ended,
    policy,
    stage,
)

HANDBOOK = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")

FROM_IMAGE = {"model.source": {"image": {"reference": f"r.example/w{DIGEST}"}}}

REASONS: list[tuple[Type, str, str, Seen]] = [
    # condition, status and reason, words of the message, what was seen
    (Type.ACCEPTED, "True Valid", "meditron-70b gptq on 1 x A100-80GB", Seen()),
    (Type.ACCEPTED, "True Valid", "runs as root, as asked", Seen(spec={"engine.runAsNonRoot": False})),
    (Type.ACCEPTED, "False InvalidSpec", "spec.replicas", Seen(spec=INVALID)),
    (Type.ACCEPTED, "False UnpinnedSource", "engine.image", Seen(spec={"engine.image": "r:1"}, there=False)),
    (Type.ACCEPTED, "False UnknownModel", "known: meditron-7b", Seen(spec={"model.id": "x"}, there=False)),
    (Type.ACCEPTED, "False UnknownGPU", "known: A100-40GB", Seen(spec={"gpu.type": "x"}, there=False)),
    (Type.ACCEPTED, "False DoesNotFit", "Next:", Seen(spec={"gpu.type": "L4", "gpu.count": 1}, there=False)),
    (Type.ACCEPTED, "False NoGPUNodes", "no node", Seen(spec={"gpu.type": "auto"}, there=False)),
    (Type.PLAN_CURRENT, "True Fixed", "spec.gpu.type names A100-80GB", Seen()),
    (Type.PLAN_CURRENT, "Unknown NotAccepted", "not accepted", Seen(spec=INVALID)),
    (Type.PLAN_VERIFIED, "Unknown NotMeasured", "an earlier template", Seen(rollout=stage(Stage.ROLLED_BACK, "back"))),
    (Type.SCHEDULED, "True Scheduled", "1 of 1 pods have a node: node-1", Seen(pods=(READY,))),
    (Type.SCHEDULED, "True Scheduled", "no replica is wanted", Seen(spec={"replicas": 0})),
    (Type.SCHEDULED, "True Scheduled", "no replica is wanted", Seen(off=HALT)),
    (Type.SCHEDULED, "Unknown NotAccepted", "not accepted", Seen(spec=INVALID)),
    (Type.SCHEDULED, "False PodsMissing", "0 of 1 pods", Seen()),
    (Type.SCHEDULED, "False NoSuchNode", "no node has nvidia.com/gpu.product in (", Seen(pods=(WAITING,), nodes=())),
    (Type.SCHEDULED, "False NoSuchNode", "zone=x", Seen(pods=(WAITING,), spec={"gpu.nodeSelector": {"zone": "x"}})),
    (Type.SCHEDULED, "False NoSuchNode", "no node has more than 1",
     Seen(pods=(WAITING,), spec={"gpu.count": 2}, nodes=(node(gpus=1),))),
    (Type.SCHEDULED, "False Unschedulable", "volume conflict", Seen(pods=(WAITING,))),
    (Type.SCHEDULED, "False WaitingForGPU", "free: none; the cluster has 8 x A100-80GB; held by other/holder (8)",
     Seen(pods=(WAITING,), gpu_pods=(HOLDER,))),
    (Type.AVAILABLE, "True Serving", "1 of 1", Seen(pods=(READY,))),
    (Type.AVAILABLE, "True Serving", "1 of 1", Seen(pods=(READY,), spec=INVALID)),
    (Type.AVAILABLE, "False Stopped", "kill switch", Seen(off=HALT, pods=(READY,))),
    (Type.AVAILABLE, "False NotAccepted", "see Accepted", Seen(spec=INVALID, there=False)),
    (Type.AVAILABLE, "False ScaledToZero", "replicas is 0", Seen(spec={"replicas": 0})),
    (Type.AVAILABLE, "False NotScheduled", "see Scheduled", Seen(pods=(WAITING,))),
    (Type.AVAILABLE, "False Loading", "loading since 2026-01-01T00:00:00Z; may take 6", Seen(pods=(LOADING,))),
    (Type.AVAILABLE, "False CrashLoop", "Error with exit code 1 after 3 restarts: no CUDA",
     Seen(pods=(ended("CrashLoopBackOff", exitCode=1, message="no CUDA"),))),
    (Type.AVAILABLE, "False CrashLoop", "Completed with exit code 0 after 3 restarts: it was told to end",
     Seen(pods=(ended("CrashLoopBackOff", exitCode=0, reason="Completed"),))),
    (Type.AVAILABLE, "False Unhealthy", "ward-0: the engine runs, and does not answer", Seen(pods=(ILL,))),
    (Type.AVAILABLE, "False ContainerRefused", "StartError with exit code 128",
     Seen(pods=(ended("CrashLoopBackOff", exitCode=128, reason="StartError"),))),
    (Type.AVAILABLE, "False ContainerRefused", "RunContainerError",
     Seen(pods=(ended("RunContainerError", exitCode=1, reason="Error"),))),
    (Type.AVAILABLE, "False OutOfMemory", "exit code 137",
     Seen(pods=(ended("CrashLoopBackOff", exitCode=137, reason="OOMKilled"),))),
    (Type.AVAILABLE, "False ImagePullFailed", "denied", Seen(pods=(ended("ErrImagePull", "denied"),))),
    (Type.AVAILABLE, "False ImagePullFailed", "denied", Seen(pods=(ended("ImagePullBackOff", "denied"),))),
    (Type.AVAILABLE, "False ImagePullFailed", "", Seen(pods=(ended("InvalidImageName"),))),
    (Type.AVAILABLE, "False ContainerRefused", "root", Seen(pods=(ended("CreateContainerConfigError", "root"),))),
    (Type.AVAILABLE, "False ContainerRefused", "", Seen(pods=(ended("CreateContainerError"),))),
    (Type.PROGRESSING, "False Complete", "1 of 1", Seen()),
    (Type.PROGRESSING, "False Complete", "0 of 0", Seen(off=HALT)),
    (Type.PROGRESSING, "True Creating", "no StatefulSet yet", Seen(there=False)),
    (Type.PROGRESSING, "False NotAccepted", "no StatefulSet yet", Seen(spec=INVALID, there=False)),
    (Type.PROGRESSING, "False NotOurs", "is not controlled by this deployment",
     Seen(foreign=(policy("x", {}),))),
    (Type.PROGRESSING, "False NotOurs", "is controlled by MeditronDeployment ward", Seen(foreign=(FOREIGN,))),
    (Type.PROGRESSING, "False WriteRefused", "quota; webhook", Seen(failures=("quota", "webhook"))),
    (Type.PROGRESSING, "True RollingOut", "0 of 1", Seen(workload={"observedGeneration": 0})),
    (Type.PROGRESSING, "False Complete", "0 of 0", Seen(spec={"replicas": 0}, workload={"observedGeneration": 0})),
    (Type.PROGRESSING, "True RollingOut", "0 of 0",
     Seen(spec={"replicas": 0}, pods=(READY,), workload={"observedGeneration": 0})),
    (Type.PROGRESSING, "True RollingOut", "1 of 2", Seen(spec={"replicas": 2}, workload={"updatedReplicas": 1})),
    (Type.PROGRESSING, "True RollingOut", "1 of 1", Seen(workload={"replicas": 2})),
    (Type.PROGRESSING, "False Stalled", "no CUDA", Seen(rollout=stage(Stage.STALLED, "no CUDA"))),
    (Type.PROGRESSING, "False RolledBack", "back", Seen(rollout=stage(Stage.ROLLED_BACK, "back"))),
    (Type.PROGRESSING, "False OutageNeeded", "only", Seen(rollout=stage(Stage.OUTAGE, "only"))),
    (Type.PROGRESSING, "False NoRoom", "GPUs", Seen(rollout=stage(Stage.NO_ROOM, "GPUs"))),
    (Type.PROGRESSING, "True RollingOut", "0 of 1 pods have the current template; waiting for ward-0",
     Seen(workload={"observedGeneration": 0}, rollout=stage(Stage.ROLLING, "waiting for ward-0"))),
    (Type.PROGRESSING, "False Complete", "0 of 0", Seen(off=HALT, rollout=stage(Stage.STALLED, "no CUDA"))),
    (Type.PROGRESSING, "False ImmutableFields",
     "`kubectl delete statefulset ward -n clinical-ai --cascade=orphan` leaves its pods", Seen(fixed="x is y")),
    (Type.AVAILABLE, "False NodeNotReady", "ward-0: its node node-1 is not ready: NodeStatusUnknown: silent",
     Seen(pods=(LOADING,), nodes=(LOST,))),
    (Type.ISOLATED, "False PodOutside", "pod ward-0 runs with the service account", Seen(pods=(OUTSIDE,))),
    (Type.ISOLATED, "Unknown Unverified", "has not been probed", Seen()),
    (Type.ISOLATED, "Unknown NotAccepted", "", Seen(spec=INVALID, there=False)),
    (Type.ISOLATED, "False PolicyMissing", "ward-deny is not in place", Seen(without="ward-deny")),
    (Type.ISOLATED, "False PolicyMissing", "ward-deny is not in place",
     Seen(without="ward-deny", extra=(policy("ward-deny", {}, ingress=OPEN),))),
    (Type.ISOLATED, "False ForeignPolicy", "NetworkPolicy lets-in also selects", Seen(extra=(LETS_IN,))),
    (Type.OFFLINE, "True Enforced", "weights from claim", Seen()),
    (Type.OFFLINE, "True Enforced", "weights from an image, every", Seen(spec=FROM_IMAGE)),
    (Type.OFFLINE, "False OnlineAllowed", "no policy lets it out", Seen(spec={"offline": False})),
    (Type.OFFLINE, "Unknown NotAccepted", "see Accepted", Seen(spec=INVALID)),
    (Type.STOPPED, "False NotEngaged", "", Seen()),
    (Type.STOPPED, "False Engaging", "still there: pod ward-0 (halt: wrong dose)", Seen(off=HALT, pods=(READY,))),
    (Type.STOPPED, "True EngagedUnverified", "not probed from outside (halt: wrong dose)", Seen(off=HALT)),
    (Type.STOPPED, "True Released", "requested by rita, approved by paul; annotate", Seen(off=RELEASED)),
    (Type.STOPPED, "False Engaging", "still there: pod ward-0 (release of the", Seen(off=RELEASED, pods=(READY,))),
    (Type.AVAILABLE, "False Stopped", "not resumed yet", Seen(off=RELEASED)),
]  # fmt: skip


def conditions(seen: Seen) -> dict[str, dict[str, Any]]:
    return {item["type"]: item for item in summarize(seen.view, {}, NOW)["conditions"]}


@pytest.mark.parametrize(("about", "verdict", "words", "seen"), REASONS, ids=[f"{row[0]}-{row[1]}" for row in REASONS])
def test_reason(*, about: Type, verdict: str, words: str, seen: Seen) -> None:
    found = conditions(seen)[about]
    assert f"{found['status']} {found['reason']}" == verdict
    assert words in found["message"]
    assert found["observedGeneration"] == 3


NOTHING_TO_DO = {"NotAccepted", "NotScheduled", "ScaledToZero", "Complete", "Creating", "RollingOut", "NotEngaged"}


@pytest.mark.parametrize(("about", "verdict"), sorted({(str(row[0]), row[1]) for row in REASONS}))
def test_every_reason_has_a_next_step_or_is_none(about: str, verdict: str) -> None:
    """And the handbook has a row for it."""
    status, reason = verdict.split()
    quiet = (
        status == "True"
        or reason in NOTHING_TO_DO | {"Unverified", "NotMeasured"}
        or (about, reason) == ("Available", "Stopped")
    )
    assert ((about, reason) in NEXT) is not quiet or reason == "Released"
    assert reason in HANDBOOK


def test_no_advice_is_for_a_reason_that_nobody_gives() -> None:
    assert {type_ for type_, _ in NEXT} <= {str(type_) for type_ in Type}
    assert all(reason in HANDBOOK for _, reason in NEXT)


def test_every_condition_is_always_there() -> None:
    for _, _, _, seen in REASONS:
        assert list(conditions(seen)) == [str(type_) for type_ in Type]
        assert all(item["message"] and item["reason"].isalnum() for item in conditions(seen).values())


def test_a_rollout_that_has_just_begun_is_not_complete() -> None:
    """The server leaves updatedReplicas out while it is 0."""
    view = Seen().view
    obj = stored(next(item for item in children() if item["kind"] == "StatefulSet"))
    obj["status"] = {"observedGeneration": 1, "replicas": 1, "currentReplicas": 1}
    others = tuple(found for found in view.cluster.children if found.ref.kind != "StatefulSet")
    begun = View(case=view.case, cluster=Cluster(children=(*others, Live.of("StatefulSet", obj))))
    reasons = {item["type"]: item["reason"] for item in summarize(begun, {}, NOW)["conditions"]}
    assert reasons["Progressing"] == "RollingOut"


@pytest.mark.parametrize(
    "harmless",
    [
        policy("other-pods", {"matchLabels": {"app": "x"}}, ingress=OPEN),
        policy("their-deny", {}, policyTypes=["Ingress"]),
        policy("empty", {}, ingress=[], egress=[]),
    ],
    ids=lambda found: found.ref.name,
)
def test_policies_that_open_nothing_do_no_harm(harmless: Live) -> None:
    assert conditions(Seen(extra=(harmless,)))["Isolated"]["reason"] == "Unverified"


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"matchLabels": {"meditron.ai/deployment": "ward"}},
        {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]},
    ],
)
def test_policies_that_open_something_are_named(selector: dict[str, Any]) -> None:
    opening: list[dict[str, Any]] = [{"ingress": OPEN}, {"egress": [{}]}]
    for rules in opening:
        found = conditions(Seen(extra=(policy("theirs", selector, **rules),)))["Isolated"]
        assert found["reason"] == "ForeignPolicy"


def test_a_policy_that_picks_one_pod_by_its_name_opens_it() -> None:
    selector = {"matchLabels": {"statefulset.kubernetes.io/pod-name": "ward-0"}}
    theirs = policy("theirs", selector, ingress=OPEN)
    numbered = {**pod().labels, "statefulset.kubernetes.io/pod-name": "ward-0"}
    found = conditions(Seen(pods=(replace(pod(), labels=numbered),), extra=(theirs,)))["Isolated"]
    assert (found["reason"], "NetworkPolicy theirs" in found["message"]) == ("ForeignPolicy", True)


def test_a_stop_is_not_claimed_before_the_controller_has_counted_down() -> None:
    """Until it has seen the 0 it may still make a pod."""
    for behind in ({"observedGeneration": 0}, {"replicas": 1}):
        assert conditions(Seen(off=HALT, workload=behind))["Stopped"]["reason"] == "Engaging"
    assert conditions(Seen(off=HALT))["Stopped"]["reason"] == "EngagedUnverified"


def test_one_broken_replica_beside_a_ready_one_is_told() -> None:
    broken = replace(ended("CrashLoopBackOff", exitCode=1), ref=replace(pod().ref, name="ward-1"))
    status = summarize(Seen(spec={"replicas": 2}, pods=(READY, broken)).view, {}, NOW)
    found = next(item for item in status["conditions"] if item["type"] == "Available")
    assert (found["status"], status["phase"]) == ("True", "Degraded")
    assert "1 of 2 replicas are ready; ward-1: Error" in found["message"]


def test_a_stop_is_never_claimed_while_something_is_left() -> None:
    left = conditions(Seen(off=HALT, extra=(policy("ward-allow", {}, ingress=OPEN),)))["Stopped"]
    assert "NetworkPolicy ward-allow" in left["message"]
    assert left["status"] == "False"
    running = View(case=case(off=HALT), cluster=cluster(children({"replicas": 2})))
    found = next(item for item in summarize(running, {}, NOW)["conditions"] if item["type"] == "Stopped")
    assert "StatefulSet ward (its controller has not counted down)" in found["message"]
    deleting = pod(metadata={"deletionTimestamp": "t"})
    assert conditions(Seen(off=HALT, pods=(deleting,)))["Stopped"]["reason"] == "Engaging"


def test_messages_are_bounded() -> None:
    long = Condition(Type.ACCEPTED, Truth.TRUE, "Valid", "x" * 9999)
    assert len(long.message) == MAX_MESSAGE
    assert long.message.endswith("…")


def test_a_long_list_of_holders_is_counted() -> None:
    crowd = tuple(pod(f"p{number}", namespace="other", gpus=1) for number in range(8))
    message = conditions(Seen(pods=(WAITING,), gpu_pods=crowd))["Scheduled"]["message"]
    assert message.endswith("other/p4 (1), 3 more")


def test_good_news_is_normal_and_bad_news_a_warning() -> None:
    kinds: dict[str, str] = {}
    for *_, seen in REASONS:
        for change in condition_changes({}, summarize(seen.view, {}, NOW)):
            told = event(case(), change, "7", NOW)
            kinds[told["reason"]] = told["type"]
    warnings = {reason for reason, kind in kinds.items() if kind == "Warning"}
    assert {"InvalidSpec", "DoesNotFit", "CrashLoop", "OutOfMemory", "WriteRefused", "NotOurs"} <= warnings
    assert {"PolicyMissing", "ForeignPolicy", "Engaging", "EngagedUnverified", "WaitingForGPU"} <= warnings
    assert not warnings & {"Valid", "Serving", "Scheduled", "Complete", "Loading"}
