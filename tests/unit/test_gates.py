"""Which pods clients may be sent to: the readiness gate that the operator keeps."""

from typing import Any

import pytest

from meditron_operator.core.decide import decide
from meditron_operator.core.observed import Pod
from meditron_operator.core.status import serving_condition
from meditron_operator.core.steps import SetGate
from tests.unit.kit import HALT, case, children, cluster, pod

UNREADABLE = {"model": "not even a mapping"}
GATED = {"nodeName": "node-1", "readinessGates": [{"conditionType": "meditron.ai/serving"}]}


def gated(name: str = "ward-0", *, gate: str = "", healthy: bool = True, **rest: Any) -> Pod:
    said = [{"type": "ContainersReady", "status": str(healthy)}]
    said += [{"type": "meditron.ai/serving", "status": gate}] if gate else []
    return pod(name, spec=GATED, status={"conditions": said, **rest.pop("status", {})}, **rest)


def gates(steps: tuple[SetGate, ...]) -> list[tuple[str, bool]]:
    return [(step.pod.ref.name, step.open) for step in steps]


@pytest.mark.parametrize("changes", [{}, UNREADABLE])
def test_it_opens_once_the_engine_is_healthy(changes: dict[str, Any]) -> None:
    """Also where the spec was broken since: what runs goes on running, on another node too."""
    pods = (gated("ward-0"), gated("ward-1", gate="False"), gated("ward-2", healthy=False))
    decision = decide(case(changes), cluster(children(), pods=pods), {})
    assert gates(decision.open) == [("ward-0", True), ("ward-1", True)]
    assert not decision.close


@pytest.mark.parametrize(
    "other",
    [
        gated(gate="True"),  # open already
        gated(gate="True", healthy=False),  # kubelet keeps clients away by itself
        gated(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        gated(metadata={"ownerReferences": []}),  # it has the label, and is none of ours
        pod(),  # of a template without gates
    ],
)
def test_nothing_else_is_written(other: Pod) -> None:
    assert not decide(case(), cluster(children(), pods=(other,)), {})


@pytest.mark.parametrize("changes", [{}, UNREADABLE])
def test_a_stop_closes_all_that_are_open(changes: dict[str, Any]) -> None:
    pods = (
        gated("ward-0", gate="True"),
        gated("ward-1", gate="True", healthy=False),
        gated("ward-2", gate="True", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        gated("ward-3", gate="False"),
        gated("ward-4"),
        gated("ward-5", gate="True", status={"phase": "Failed"}),
        gated("ward-6", gate="True", metadata={"ownerReferences": []}),
    )
    decision = decide(case(changes, off=HALT), cluster(children(stopped=True), pods=pods), {})
    assert gates(decision.close) == [("ward-0", False), ("ward-1", False), ("ward-2", False), ("ward-6", False)]
    assert not decision.open


def test_a_stop_opens_none() -> None:
    assert not decide(case(off=HALT), cluster(children(stopped=True), pods=(gated(),)), {})


def test_the_condition_says_why() -> None:
    assert serving_condition(True, "t0") | {"message": ""} == {
        "type": "meditron.ai/serving",
        "status": "True",
        "reason": "Healthy",
        "message": "",
        "lastTransitionTime": "t0",
    }
    assert (serving_condition(False, "t1")["status"], serving_condition(False, "t1")["reason"]) == ("False", "Stopped")
