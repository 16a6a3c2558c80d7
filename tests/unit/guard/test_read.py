"""What the guard keeps of each object: every field, and what stands for one that is not told."""

from typing import Any

import pytest

from meditron_operator.core.guard.actions import Annotate, CloseGate, EndPod, RemovePolicy, ScaleToZero, done_by
from meditron_operator.core.guard.carriers import Switch, Target
from meditron_operator.core.guard.proof import Answer, Evidence, Findings, find
from meditron_operator.core.guard.seen import Controller, Pod, Policy, Scaler, Seen, Workload
from meditron_operator.core.killswitch import Measures, UnconfirmedPod
from meditron_operator.core.live import Ref
from tests.unit.guard.kit import MAKER, OWNER, dying, meta, pod, pod_body, policy, scaler, target, workload

BARE: Any = {"metadata": meta("x"), "spec": {}}
OF_STATEFULSET = Controller(kind="StatefulSet", name="notes", uid="u-set")
OF_DEPLOYMENT = Controller(kind="MeditronDeployment", name="notes", uid="u-notes")
_SET: Any = {"f:metadata": {"f:annotations": {"f:meditron.ai/kill-switch": {}}}}
ADMITTED = {"manager": "kubectl", "time": "2026-01-01T00:00:05Z", "fieldsV1": _SET}
SWITCHED: Any = {"annotations": {"meditron.ai/kill-switch": "halt"}, "managedFields": [ADMITTED]}


def test_a_pod_that_tells_everything() -> None:
    ends = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
    assert Pod.of(pod_body(metadata=ends, status={"phase": "Failed"})) == Pod(
        ref=Ref(kind="Pod", namespace="ward", name="notes-0"),
        uid="u-notes-0",
        deployment="notes",
        service_account="notes",
        models=True,
        controller=OF_STATEFULSET,
        node="n1",
        ip="192.0.2.130",
        gate_open=True,
        finished=True,
        deleting=True,
        grace_seconds=30,
    )


def test_a_pod_that_tells_nothing() -> None:
    assert Pod.of(BARE) == Pod(
        ref=Ref(kind="Pod", namespace="ward", name="x"),
        uid="u-x",
        deployment="",
        service_account="",
        models=False,
        controller=None,
        node="",
        ip="",
        gate_open=False,
        finished=False,
        deleting=False,
        grace_seconds=None,
    )


@pytest.mark.parametrize(("phase", "finished"), [("Succeeded", True), ("Failed", True), ("Running", False)])
def test_a_pod_is_finished(phase: str, finished: bool) -> None:
    assert pod(status={"phase": phase}).finished is finished


@pytest.mark.parametrize(
    ("labels", "gates", "models"),
    [
        ({"app.kubernetes.io/name": "meditron"}, None, True),
        ({"app.kubernetes.io/name": "other"}, None, False),
        ({}, [{"conditionType": "meditron.ai/serving"}], True),
        ({}, [{"conditionType": "other"}], False),
    ],
)
def test_made_for_a_model(labels: Any, gates: Any, models: bool) -> None:
    assert pod(metadata={"labels": labels}, spec={"readinessGates": gates}).models is models


def test_children() -> None:
    labels = {"meditron.ai/deployment": "notes", "app.kubernetes.io/name": "meditron"}
    owned: Any = {"metadata": meta("notes", labels=labels, ownerReferences=[OWNER])}
    facts: Any = {"uid": "u-notes", "controller": OF_DEPLOYMENT, "deployment": "notes", "models": True}
    bare: Any = {"uid": "u-x", "controller": None, "deployment": "", "models": False}

    def ref(kind: str, name: str) -> Ref:
        return Ref(kind=kind, namespace="ward", name=name)

    assert Workload.of({**owned, "spec": {"replicas": 3}}) == Workload(
        ref=ref("StatefulSet", "notes"), replicas=3, **facts
    )
    assert Workload.of(BARE) == Workload(ref=ref("StatefulSet", "x"), replicas=1, **bare)
    assert Policy.of({**owned, "spec": {"egress": [{}]}}) == Policy(
        ref=ref("NetworkPolicy", "notes"), lets_in=True, **facts
    )
    assert Policy.of(BARE) == Policy(ref=ref("NetworkPolicy", "x"), lets_in=False, **bare)


def test_a_scaler_that_names_no_kind_means_a_deployment_of_kubernetes() -> None:
    assert Scaler.of(BARE) == Scaler(
        ref=Ref(kind="ScaledObject", namespace="ward", name="x"),
        uid="u-x",
        kind="Deployment",
        name="",
        paused=None,
        paused_by=None,
    )


@pytest.mark.parametrize(("annotated", "admitted_at"), [(SWITCHED, "2026-01-01T00:00:05Z"), ({}, None)])
def test_what_carries_a_switch(annotated: Any, admitted_at: str | None) -> None:
    unswitched = {"managedFields": [ADMITTED]}
    body = {"metadata": meta("notes") | unswitched | annotated}
    said = annotated.get("annotations", {})
    assert Switch.of(body) == Switch(name="notes", uid="u-notes", annotations=said, admitted_at=admitted_at)
    assert Target.of(body) == Target(
        ref=Ref(kind="MeditronDeployment", namespace="ward", name="notes"),
        uid="u-notes",
        resource_version="7",
        annotations=said,
        admitted_at=admitted_at,
        grace_seconds=30,
        told=None,
    )


def test_only_what_is_its_own() -> None:
    mine = Seen(pods=(pod(),), workloads=(workload(),), policies=(policy(),), scalers=(scaler(),))
    foreign: Any = {"ownerReferences": [{**OWNER, "name": "other", "uid": "u-other"}]}
    other = pod(
        label="other",
        spec={"serviceAccountName": "x"},
        metadata={"ownerReferences": [{**MAKER, "name": "other", "uid": "u-other"}]},
    )
    all_of_them = Seen(
        pods=(*mine.pods, other),
        workloads=(*mine.workloads, workload(**foreign)),
        policies=(*mine.policies, policy(**foreign), policy("notes-deny", ingress=())),
        scalers=(*mine.scalers, scaler(name="other")),
    )
    assert all_of_them.of_target(target()) == mine


@pytest.mark.parametrize(
    ("action", "done"),
    [
        (CloseGate(pod()), ("CloseGate", "u-notes-0")),
        (EndPod(pod()), ("EndPod", "u-notes-0")),
        (RemovePolicy(policy()), ("RemovePolicy", "u-notes-allow")),
        (ScaleToZero(workload()), ("ScaleToZero", "u-notes")),
        (Annotate(scaler(), paused=True), ("Annotate", "u-scaler")),
    ],
)
def test_an_action_is_remembered_with_its_object(action: Any, done: tuple[str, str]) -> None:
    assert done_by(action) == done


def test_a_look_at_a_hold() -> None:
    warm, ended = pod(gate="False"), pod("notes-1", status={"phase": "Succeeded"})
    answers = {"192.0.2.9:8080": Answer.NONE, "192.0.2.1:8080": Answer.NONE, "192.0.2.5:8080": Answer.CONNECTION}
    found = find(Measures(gates=True), Seen(pods=(warm, ended)), Evidence(endpoints=("notes",), answers=answers))
    assert found == Findings(
        cut=False,
        open=("endpoint of Service notes",),
        rest=("answer from 192.0.2.5:8080",),
        pods=(),
        unconfirmed=(),
        warm=1,
        asked=("192.0.2.1:8080", "192.0.2.9:8080"),
    )


def test_a_look_at_a_halt() -> None:
    answers = {
        "192.0.2.9:8080": Answer.NONE,
        "192.0.2.1:8080": Answer.HTTP,
        "192.0.2.5:8080": Answer.CONNECTION,
    }
    seen = Seen(pods=(dying(),), workloads=(workload(2),), policies=(policy(),))
    assert find(Measures(gates=True, cut=True), seen, Evidence(answers=answers)) == Findings(
        cut=True,
        open=("open gate of pod notes-0", "NetworkPolicy notes-allow"),
        rest=("StatefulSet notes at 2", "answer from 192.0.2.1:8080"),
        pods=(dying(),),
        unconfirmed=(),
        warm=0,
        asked=("192.0.2.5:8080", "192.0.2.9:8080"),
    )


NOTHING: Any = {"open": (), "rest": (), "pods": (), "unconfirmed": (), "warm": 0, "asked": ()}


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        (Findings(cut=True, **NOTHING), "no pod, no endpoint, no policy that opens it, StatefulSet at 0"),
        (Findings(cut=False, **NOTHING | {"warm": 2}), "no new connection gets in, 2 pods are kept warm"),
        (
            Findings(cut=False, **NOTHING | {"asked": ("a", "b")}),
            "no new connection gets in, 0 pods are kept warm; no answer from a, b",
        ),
        (
            Findings(cut=True, **NOTHING | {"rest": tuple("abcdef")}),
            "still there: a, b, c, d, e, f",
        ),
        (
            Findings(cut=True, **NOTHING | {"asked": tuple("abcde")}),
            "no pod, no endpoint, no policy that opens it, StatefulSet at 0; no answer from a, b, c, d, e",
        ),
        (
            Findings(cut=True, **NOTHING | {"asked": tuple("abcdefg")}),
            "no pod, no endpoint, no policy that opens it, StatefulSet at 0; no answer from a, b, c, d, e, 2 more",
        ),
    ],
)
def test_the_words_of_a_look(findings: Findings, words: str) -> None:
    assert findings.message() == words


def test_two_lost_pods_are_both_named() -> None:
    lost = tuple(UnconfirmedPod(name=f"notes-{number}", uid=f"u{number}", node="n1") for number in range(2))
    assert "notes-0 on n1, notes-1 on n1. Make" in Findings(cut=True, **NOTHING | {"unconfirmed": lost}).message()
