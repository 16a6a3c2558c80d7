"""What `Stopped`, the phase and the column say of a stop: never more than was seen."""

from dataclasses import replace
from typing import Any

import pytest

from meditron_operator.core.killswitch import Engaged, Scope, SwitchState, SwitchStatus, UnconfirmedPod
from meditron_operator.core.live import Ref
from meditron_operator.core.status import summarize
from tests.unit.kit import DRAIN, HALT, HOLD, RELEASED, pod
from tests.unit.seen import NOW, OPEN, READY, Seen, policy

GATED = {"nodeName": "node-1", "readinessGates": [{"conditionType": "meditron.ai/serving"}]}
CLOSED = {"type": "meditron.ai/serving", "status": "False"}
WARM = pod(spec=GATED, status={"conditions": [CLOSED, {"type": "ContainersReady", "status": "True"}]})
SHUT_JUST_NOW = pod(spec=GATED, status={"conditions": [CLOSED, {"type": "Ready", "status": "True"}]})
SERVING = pod(spec=GATED, status={"conditions": [{"type": "meditron.ai/serving", "status": "True"}]})
ENDED = pod("ward-1", spec=GATED, status={"phase": "Failed", "conditions": []})
LOST = pod("ward-1", metadata={"deletionTimestamp": "t"}, node="node-9")
UNSEEN = UnconfirmedPod(name="ward-1", uid=LOST.uid, node="node-9")
WIDE = Engaged(scope=Scope.CLUSTER, mode="halt", reason="wrong dose")


def told(state: str, mode: str = "halt", **more: Any) -> SwitchStatus:
    known: dict[str, Any] = {"scope": "deployment", "reason": "wrong dose", "message": "no answer from 10.0.0.7"}
    return SwitchStatus(state=SwitchState(state), mode=mode, **{**known, **more})


UNCONFIRMED = told("EngagedUnverified", unconfirmed_pods=(UNSEEN,))

LEFT, PROVEN, FREED = "False Engaging", "True Engaged", "True Released"
UNPROVEN, UNSEEN_END = "True EngagedUnverified", "Unknown EngagedUnverified"

VERDICTS: list[tuple[str, str, Seen]] = [
    # status and reason, words, what was seen
    (LEFT, "pod ward-0 (clients are still sent to it)", Seen(off=HOLD, pods=(SERVING,))),
    (LEFT, "pod ward-0 (clients are still sent", Seen(off=HOLD, pods=(SHUT_JUST_NOW,))),
    (LEFT, "ward-0 (it has no readiness gate", Seen(off=HOLD, pods=(READY,))),
    (UNPROVEN, "no new client gets in, 1 pod kept warm; not probed from outside (hold: wrong",
     Seen(off=HOLD, pods=(WARM, ENDED))),
    (UNPROVEN, "0 pods kept warm", Seen(off=HOLD, there=False)),
    (PROVEN, "1 pod kept warm; proven from outside: no answer from 10.0.0.7 (hold: wrong dose)",
     Seen(off=HOLD, pods=(WARM,), guard=told("Engaged", "hold"))),
    (LEFT, "clients are still sent", Seen(off=HOLD, pods=(SERVING,), guard=told("Engaged", "hold"))),
    (LEFT, "may take until 2026-02-02T02:02:30Z, then all is cut", Seen(off=DRAIN, pods=(WARM,))),
    (LEFT, "pod ward-0 (clients are", Seen(off=DRAIN, pods=(SERVING,))),
    (LEFT, "still there: pod ward-0 (drain", Seen(off=DRAIN, pods=(WARM,), guard=told("Engaged", "drain"))),
    (PROVEN, "no pod is left", Seen(off=DRAIN, guard=told("Engaged", "drain"))),
    (UNPROVEN, "no pod is left and no client may connect; not probed from outside (halt: wr",
     Seen(off=HALT)),
    (UNPROVEN, "not probed", Seen(off=HALT, guard=told("Engaged", reason="last week"))),
    (UNPROVEN, "not probed", Seen(off=HALT, guard=told("Engaged", "hold"))),
    (UNPROVEN, "not probed", Seen(off=HALT, guard=told("Resumed"))),
    (UNPROVEN, "not probed from outside (whole cluster", Seen(off=WIDE, guard=told("Engaged"))),
    (PROVEN, "(whole cluster, halt: wrong dose)", Seen(off=WIDE, guard=told("Engaged", scope="cluster"))),
    (PROVEN, "; proven from outside at 2026-02-02T02:02:09.000Z: no answer from 10.0.0.7 (halt: wrong dose)",
     Seen(off=HALT, guard=told("Engaged", verified_at="2026-02-02T02:02:09.000Z"))),
    (PROVEN, "; proven from outside (", Seen(off=HALT, guard=told("Engaged", message=""))),
    (LEFT, "still there: pod ward-0 (halt", Seen(off=HALT, pods=(READY,), guard=told("Engaged"))),
    (LEFT, "still there: NetworkPolicy ward-allow",
     Seen(off=HALT, extra=(policy("ward-allow", {}, ingress=OPEN),), guard=told("Engaged"))),
    (LEFT, "the guard has not proven it yet: no answer", Seen(off=HALT, guard=told("Engaging"))),
    (UNPROVEN, "the guard could not prove it: no answer",
     Seen(off=HALT, guard=told("EngagedUnverified"))),
    (UNSEEN_END, "nobody saw the end of ward-1 on node node-9: make sure that the node is off",
     Seen(off=HALT, guard=UNCONFIRMED)),
    (UNSEEN_END, "`kubectl taint node node-9 node.kubernetes.io/out-of-service=nodeshutdown:NoEx",
     Seen(off=HALT, guard=UNCONFIRMED, pods=(LOST,), workload={"replicas": 1})),
    (LEFT, "still there: pod ward-0, StatefulSet ward (its controller",
     Seen(off=HALT, guard=UNCONFIRMED, pods=(LOST, READY), workload={"replicas": 2})),
    (LEFT, "its controller has not counted down",
     Seen(off=HALT, guard=UNCONFIRMED, pods=(LOST,), workload={"replicas": 2})),
    (LEFT, "still there: pod ward-1",
     Seen(off=HALT, guard=replace(UNCONFIRMED, state=SwitchState.ENGAGING), pods=(LOST,), workload={"replicas": 1})),
    (FREED, "no pod is left and no client may connect (release of", Seen(off=RELEASED)),
    (FREED, "1 pod kept warm (release of the deployment requested by rita",
     Seen(off=RELEASED, pods=(WARM,), guard=told("Released", "hold"))),
    (LEFT, "still there: pod ward-0", Seen(off=RELEASED, pods=(WARM,), guard=told("Released"))),
]  # fmt: skip


@pytest.mark.parametrize(("verdict", "words", "seen"), VERDICTS)
def test_verdict(*, verdict: str, words: str, seen: Seen) -> None:
    status = summarize(seen.view, {}, NOW)
    found = next(item for item in status["conditions"] if item["type"] == "Stopped")
    assert f"{found['status']} {found['reason']}" == verdict
    assert status["phase"] == ("Stopped" if verdict.startswith("True") else "Stopping")
    assert words in found["message"]
    available = next(item for item in status["conditions"] if item["type"] == "Available")
    assert (available["status"], available["reason"]) == ("False", "Stopped")


@pytest.mark.parametrize(
    ("kill", "seen"),
    [
        ("hold", Seen(off=HOLD)),
        ("halt (cluster)", Seen(off=WIDE)),
        ("released", Seen(off=RELEASED)),
        (None, Seen()),
    ],
)
def test_the_column_tells_of_every_scope(kill: str | None, seen: Seen) -> None:
    assert summarize(seen.view, {}, NOW).get("kill") == kill


def test_what_is_kept_warm_is_wanted() -> None:
    status = summarize(Seen(off=HOLD, spec={"replicas": 3}, pods=(WARM,)).view, {}, NOW)
    assert (status["desiredReplicas"], status["ready"]) == (3, "0/3")
    assert summarize(Seen(off=HOLD, there=False).view, {}, NOW)["ready"] == "0/0"


def test_what_waits_for_the_end_of_a_hold_is_named() -> None:
    waiting = (Ref(kind="StatefulSet", namespace="clinical-ai", name="ward"),)
    status = summarize(Seen(off=HOLD, pods=(WARM,), waiting=waiting).view, {}, NOW)
    found = next(item for item in status["conditions"] if item["type"] == "Progressing")
    assert (found["status"], found["reason"]) == ("False", "Held")
    assert found["message"].startswith("StatefulSet ward: what the spec asks for waits")
