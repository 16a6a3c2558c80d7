"""A hold, and a drain while its answers finish: the gates close, and everything else stays as it is."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.decide import decide, surroundings
from meditron_operator.core.killswitch import Engaged, Mode, Off, Released, Scope, SwitchState, SwitchStatus
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Cluster, Pod
from meditron_operator.core.steps import Decision, Delete, Replace, SetGate, Step
from tests.unit.kit import DRAIN, GONE, HALT, HOLD, OWNER, RELEASED, case, child, children, cluster, pod, stored

UNREADABLE = {"model": "not even a mapping"}
GATED = {"nodeName": "node-1", "readinessGates": [{"conditionType": "meditron.ai/serving"}]}
AS_HOLD = SwitchStatus(state=SwitchState.RELEASED, scope="deployment", mode="hold")
AS_HALT = SwitchStatus(state=SwitchState.RELEASED, scope="deployment", mode="halt")
HELD = [(HOLD, None), (DRAIN, None), (RELEASED, AS_HOLD)]


def gated(name: str = "ward-0", gate: str = "True", **rest: Any) -> Pod:
    said = [{"type": "ContainersReady", "status": "True"}, {"type": "meditron.ai/serving", "status": gate}]
    return pod(name, spec=GATED, status={"conditions": said}, **rest)


def taken(decision: Decision) -> list[str]:
    steps: Iterable[Step | SetGate] = (
        *decision.close,
        *decision.stop,
        *decision.foundation,
        *decision.open,
        *decision.workload,
        *decision.prune,
    )
    return [f"{type(step).__name__} {step.ref}" for step in steps]


@pytest.mark.parametrize(("off", "guard"), HELD)
@pytest.mark.parametrize("changes", [{}, UNREADABLE])
def test_only_the_gates_close(off: Off, guard: SwitchStatus | None, changes: dict[str, Any]) -> None:
    there = cluster(children({"replicas": 2}), pods=(gated(), gated("ward-1")))
    decision = decide(case(changes or {"replicas": 2}, off=off, guard=guard), there, {})
    assert taken(decision) == ["SetGate Pod ward-0", "SetGate Pod ward-1"]
    assert not any(step.open for step in decision.close)


@pytest.mark.parametrize(("off", "guard"), HELD)
def test_a_pod_that_comes_back_stays_shut(off: Off, guard: SwitchStatus | None) -> None:
    there = cluster(children(), pods=(gated(gate="False"),))
    assert not decide(case(off=off, guard=guard), there, {})


CHANGES: list[tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = [
    # how it is, what the spec asks for, what is done, what waits
    ({}, {"replicas": 3}, ["Create PodDisruptionBudget ward"], ["StatefulSet ward"]),
    ({"replicas": 3}, {"replicas": 2}, ["Replace StatefulSet ward"], ["StatefulSet ward"]),
    ({}, {"gpu.type": "H100-80GB"}, [], ["StatefulSet ward"]),
    ({}, {"shutdown": {"graceSeconds": 5}}, [], ["StatefulSet ward"]),
    ({}, {"network": {}}, [], ["NetworkPolicy ward-allow"]),
    ({"network": {}}, {}, [], ["NetworkPolicy ward-allow"]),
    ({}, {"network.clients": [{"namespace": "x", "podLabels": {"a": "b"}}]}, [], ["NetworkPolicy ward-allow"]),
]


@pytest.mark.parametrize(("off", "guard"), HELD)
@pytest.mark.parametrize(("before", "after", "done", "waits"), CHANGES)
def test_a_change_of_the_spec_waits(
    off: Off,
    guard: SwitchStatus | None,
    before: dict[str, Any],
    after: dict[str, Any],
    done: list[str],
    waits: list[str],
) -> None:
    decision = decide(case(after, off=off, guard=guard), cluster(children(before)), {})
    assert taken(decision) == done
    assert [str(ref) for ref in decision.waiting] == waits


def test_fewer_replicas_are_taken_away_and_nothing_else_of_the_pods_changes() -> None:
    there = cluster(children({"replicas": 3}))
    (step,) = decide(case({"replicas": 2, "gpu.type": "H100-80GB"}, off=HOLD), there, {}).workload
    assert isinstance(step, Replace)
    before = there.child("StatefulSet", "ward")
    assert before is not None
    assert step.manifest["spec"] == {**before.body["spec"], "replicas": 2}
    assert step.manifest["metadata"]["resourceVersion"] == before.resource_version


def test_children_that_take_no_pod_are_kept() -> None:
    present = [item for item in children() if item["metadata"]["name"] not in ("ward-deny", "ward-pods")]
    decision = decide(case(off=HOLD), cluster(present), {})
    assert taken(decision) == ["Create NetworkPolicy ward-deny", "Create Service ward-pods"]


def test_what_is_born_held_gets_no_pods() -> None:
    decision = decide(case(off=HOLD), cluster([]), {})
    assert not decision.workload
    assert [str(ref) for ref in decision.waiting] == ["NetworkPolicy ward-allow", "StatefulSet ward"]


def test_resumed_warm_pods_serve_again_without_a_restart() -> None:
    there = cluster(children(), pods=(gated(gate="False"),))
    decision = decide(case(), there, {})
    assert taken(decision) == ["SetGate Pod ward-0"]
    assert decision.open[0].open


def test_a_held_replica_keeps_its_card() -> None:
    there = cluster(children(), pods=(gated(gate="False"),))
    assert surroundings(there, OWNER).serving
    assert not surroundings(cluster(children(), pods=(gated(metadata={"deletionTimestamp": "t"}),)), OWNER).serving


def test_escalated_everything_goes() -> None:
    there = cluster(children(), pods=(gated(gate="False"),))
    wanted = ["Delete NetworkPolicy ward-allow", "Replace StatefulSet ward"]
    cuts: list[tuple[Off, SwitchStatus | None]] = [(HALT, None), (RELEASED, AS_HALT), (RELEASED, None)]
    for off, guard in cuts:
        assert taken(decide(case(off=off, guard=guard), there, {})) == wanted


SPECS: list[dict[str, Any]] = [
    {},
    UNREADABLE,
    {"replicas": 0},
    {"replicas": 3},
    {"network": {}},
    {"gpu.type": "H100-80GB"},
    {"shutdown": {"graceSeconds": 5}},
    {"network.clients": GONE},
]
PODS = st.lists(
    st.builds(gated, st.sampled_from(["ward-0", "ward-1"]), st.sampled_from(["True", "False"])),
    max_size=2,
    unique_by=lambda found: found.ref,
)
FITTING = [changes for changes in SPECS if changes is not UNREADABLE]


@given(st.sampled_from(SPECS), st.sampled_from(FITTING), PODS, st.booleans())
def test_a_stronger_mode_never_takes_less_away(
    spec: dict[str, Any], before: dict[str, Any], pods: list[Pod], stopped: bool
) -> None:
    """And none gives anything: no pod, no replica, no client."""
    there = cluster(children(before, stopped=stopped), pods=tuple(pods))
    away = [removed(decide(case(spec, off=engaged(mode)), there, {}), there) for mode in Mode]
    for weaker, stronger in itertools.pairwise(away):
        assert weaker <= stronger


def engaged(mode: Mode) -> Engaged:
    return Engaged(scope=Scope.DEPLOYMENT, mode=mode, reason="")


def removed(decision: Decision, there: Cluster) -> set[str]:
    """What is taken away: gates, the clients' policy, each replica."""
    found = {f"gate of {step.ref.name}" for step in decision.close}
    assert not decision.open
    for step in (*decision.stop, *decision.foundation, *decision.workload, *decision.prune):
        if isinstance(step, Delete):
            found.add(str(step.ref))
        elif step.ref.kind == "StatefulSet":
            live = there.child("StatefulSet", "ward")
            before = live.body["spec"]["replicas"] if live else 0
            after = step.manifest["spec"]["replicas"]
            assert after <= before
            found |= {f"replica {number}" for number in range(after, before)}
        else:
            assert step.ref.name != "ward-allow"
    return found - {"PodDisruptionBudget ward"}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("spec", FITTING)
@pytest.mark.parametrize("before", FITTING)
def test_a_second_look_finds_nothing_to_do(mode: Mode, spec: dict[str, Any], before: dict[str, Any]) -> None:
    there = cluster(children(before))
    of = case(spec, off=engaged(mode))
    for _ in range(2):
        after = {found.ref: found for found in there.children}
        decision = decide(of, there, {})
        for step in (*decision.stop, *decision.foundation, *decision.workload, *decision.prune):
            if isinstance(step, Delete):
                del after[step.ref]
            else:
                after[step.ref] = Live.of(step.ref.kind, stored(step.manifest, 8))
        there = Cluster(children=tuple(after.values()))
    assert not decide(of, there, {})


def test_a_hold_of_what_lost_its_statefulset_makes_none() -> None:
    without = [item for item in children() if item["kind"] != "StatefulSet"]
    assert not decide(case(off=HOLD), cluster(without, pods=(gated(gate="False"),)), {}).workload
    assert child(children(), "StatefulSet")["spec"]["replicas"] == 1


def test_a_release_of_another_scope_than_the_guard_tells_counts_as_halt() -> None:
    off = Released(scope=Scope.NAMESPACE, requested_by="rita", approved_by="paul")
    assert decide(case(off=off, guard=AS_HOLD), cluster(children()), {}).stop
