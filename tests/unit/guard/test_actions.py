"""What a stop has to do next: nothing twice, a stronger one never less, and whatever was cut off is done later."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.guard.actions import (
    Action,
    Annotate,
    CloseGate,
    EndPod,
    RemovePolicy,
    ScaleToZero,
    closed,
    done_by,
    letting_go,
    plan,
)
from meditron_operator.core.guard.seen import PAUSED, PAUSED_BY_GUARD, Seen
from meditron_operator.core.killswitch import Measures, Mode
from meditron_operator.core.status import serving_condition
from tests.unit.guard.kit import dying, pod, policy, scaler, workload

NONE, HELD, CUT = Measures(), Measures(gates=True), Measures(gates=True, cut=True)
FULL = Seen(pods=(pod(),), workloads=(workload(),), policies=(policy(),), scalers=(scaler(),))

pods = st.lists(
    st.builds(
        lambda number, gate, phase, grace: replace(
            dying(f"notes-{number}", grace, gate=gate, status={"phase": phase})
            if grace
            else pod(f"notes-{number}", gate=gate),
            finished=phase == "Failed",
        ),
        st.integers(0, 9),
        st.sampled_from(["True", "False"]),
        st.sampled_from(["Running", "Failed"]),
        st.sampled_from([0, 1, 2, 30]),
    ),
    unique_by=lambda each: each.uid,
).map(tuple)
seens = st.builds(
    Seen,
    pods=pods,
    workloads=st.lists(st.integers(0, 3).map(workload), max_size=1).map(tuple),
    policies=st.sampled_from([(), (policy(),), (policy(), policy("notes-allow-copy"))]),
    scalers=st.sampled_from([(), (scaler(),), (scaler(**{PAUSED: "true"}),)]),
)


def after(seen: Seen, action: Action) -> Seen:
    """The world once the server has done it: what a fresh look would show."""
    match action:
        case CloseGate(was):
            return replace(seen, pods=tuple(replace(p, gate_open=p.gate_open and p.uid != was.uid) for p in seen.pods))
        case RemovePolicy(was):
            return replace(seen, policies=tuple(p for p in seen.policies if p.uid != was.uid))
        case ScaleToZero():
            return replace(seen, workloads=tuple(replace(each, replicas=0) for each in seen.workloads))
        case EndPod(was):
            ends: Any = {"deleting": True, "grace_seconds": 1}
            return replace(seen, pods=tuple(replace(p, **ends) if p.uid == was.uid else p for p in seen.pods))
        case Annotate():
            return replace(
                seen, scalers=tuple(replace(s, paused="true", paused_by="meditron-guard") for s in seen.scalers)
            )


def test_a_halt_cuts_traffic_first_and_takes_all() -> None:
    due = plan(CUT, FULL)
    assert due.traffic == (CloseGate(pod(), ends=True), RemovePolicy(policy()))
    assert due.rest == (EndPod(pod()), ScaleToZero(workload()), Annotate(scaler(), paused=True))


def test_a_hold_closes_gates_and_nothing_else() -> None:
    assert plan(HELD, FULL).actions == (CloseGate(pod()),)
    assert plan(NONE, FULL).actions == ()


@pytest.mark.parametrize(
    ("found", "ended"),
    [
        (pod(), True),
        (pod(gate="False"), True),
        (pod(status={"phase": "Failed"}), True),
        (dying(grace=30), True),  # it ends at its leisure
        (dying(grace=1), False),
        (dying(grace=0), False),
    ],
)
def test_which_pods_are_ended(found: object, ended: bool) -> None:
    assert (EndPod(found) in plan(CUT, Seen(pods=(found,))).rest) is ended  # type: ignore[arg-type]


def test_what_somebody_else_paused_stays_so() -> None:
    theirs = scaler(**{PAUSED: "true"})
    ours = scaler(**{PAUSED: "true", PAUSED_BY_GUARD: "meditron-guard"})
    assert plan(CUT, Seen(scalers=(theirs, ours))).actions == ()
    assert letting_go(Seen(scalers=(theirs, ours, scaler()))) == (Annotate(ours, paused=False),)
    assert Annotate(ours, paused=False).annotations == {PAUSED: None, PAUSED_BY_GUARD: None}
    assert Annotate(ours, paused=True).annotations == {PAUSED: "true", PAUSED_BY_GUARD: "meditron-guard"}


@given(seens, st.sampled_from([HELD, CUT]), st.randoms(use_true_random=False))
def test_cut_off_at_any_point_the_rest_is_still_due_and_then_nothing(
    seen: Seen, due: Measures, chance: random.Random
) -> None:
    steps = list(plan(due, seen).actions)
    chance.shuffle(steps)
    for number, step in enumerate(steps):
        left = {done_by(each) for each in plan(due, seen).actions}
        assert left == {done_by(each) for each in steps[number:]}
        seen = after(seen, step)
    assert plan(due, seen).actions == ()


@given(seens)
def test_a_stronger_stop_never_takes_less(seen: Seen) -> None:
    taken = [set(map(done_by, plan(due, seen).actions)) for due in (NONE, HELD, CUT)]
    assert taken[0] <= taken[1] <= taken[2]


def test_what_was_sent_is_not_sent_again() -> None:
    due = plan(CUT, FULL)
    assert due.without({done_by(each) for each in due.actions}).actions == ()
    assert len({done_by(each) for each in due.actions}) == 5


def test_operator_and_guard_close_a_gate_in_the_same_words() -> None:
    assert closed(CloseGate(pod()), "t") == [serving_condition(False, "t")]


def test_of_a_pod_that_ends_the_readiness_is_written_too() -> None:
    gate, ready = closed(CloseGate(pod(), ends=True), "t")
    assert gate == serving_condition(False, "t")
    assert (ready["type"], ready["status"]) == ("Ready", "False")


def test_modes_are_ordered() -> None:
    assert list(Mode) == [Mode.HOLD, Mode.DRAIN, Mode.HALT]
