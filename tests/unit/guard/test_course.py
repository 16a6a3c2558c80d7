"""How far a stop has come: never said before it is so, and what is stored is kept."""

from dataclasses import replace
from typing import Any

import pytest

from meditron_operator.core.guard.course import (
    Moments,
    Stop,
    advanced,
    begun,
    changes,
    continued,
    drain_ends,
    has_drained,
    resumed,
    seconds_between,
)
from meditron_operator.core.guard.outcomes import outcome
from meditron_operator.core.guard.proof import Answer, Evidence, Findings, find
from meditron_operator.core.guard.seen import NodeState, Seen
from meditron_operator.core.killswitch import (
    Engaged,
    Measures,
    Mode,
    Released,
    Scope,
    SwitchState,
    SwitchStatus,
    UnconfirmedPod,
)
from meditron_operator.core.killswitch.carrier import Carrier
from tests.unit.guard.kit import dying, pod, policy, target, workload

HELD, CUT = Measures(gates=True), Measures(gates=True, cut=True)
T0, T1, T2 = (f"2026-01-01T00:00:0{second}.000Z" for second in range(3))
CLEAN = Seen(workloads=(workload(0),))
LOST = UnconfirmedPod(name="notes-0", uid="u-notes-0", node="n1")
ENGAGED_BY = Engaged(scope=Scope.DEPLOYMENT, mode="halt", reason="wrong dose")
RELEASED_BY = Released(scope=Scope.DEPLOYMENT, requested_by="rita", approved_by="paul")


def stop(mode: Mode = Mode.HALT, off: Any = ENGAGED_BY, **more: Any) -> Stop:
    facts = {"annotations": {"meditron.ai/killed-by": "kim"}, "admitted_at": "2026-01-01T00:00:00Z", "seen_at": T0}
    return Stop(off=off, mode=mode, **(facts | more))


def look(seen: Seen = CLEAN, due: Measures = CUT, before: Any = (), waits: str = "", **evidence: Any) -> Findings:
    return find(due, seen, Evidence(**evidence), before, waits)


def status_after(findings: Findings, stored: SwitchStatus | None = None, **more: Any) -> SwitchStatus:
    return advanced(begun(stop(**more), stored), findings, Moments(), T1)


HTTP, LINK, SILENT = ({"192.0.2.20:8080": answer} for answer in (Answer.HTTP, Answer.CONNECTION, Answer.NONE))


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (look(Seen(pods=(pod(gate="False"),))), "pod notes-0"),
        (look(Seen(pods=(dying(gate="False"),))), "pod notes-0"),
        (look(Seen(pods=(pod(),))), "open gate of pod notes-0, pod notes-0"),
        (look(Seen(policies=(policy(),))), "NetworkPolicy notes-allow"),
        (look(Seen(workloads=(workload(2),))), "StatefulSet notes at 2"),
        (look(endpoints=("notes",)), "endpoint of Service notes"),
        (look(answers=HTTP), "answer from 192.0.2.20:8080"),
        (look(Seen(pods=(pod(),)), HELD), "open gate of pod notes-0"),
        (look(CLEAN, HELD, endpoints=("notes",)), "endpoint of Service notes"),
        (look(CLEAN, HELD, answers=LINK), "answer from 192.0.2.20:8080"),
        (look(Seen(pods=(pod(gate="False"),)), HELD, waits=T2), f"answers in flight, until {T2} at the latest"),
        (look(Seen(pods=(dying(gate="False"),)), nodes={"n1": NodeState.OFF}), "pod notes-0"),
    ],
)
def test_engaged_is_not_said_while_anything_is_left(found: Findings, left: str) -> None:
    told = status_after(found)
    assert told.state is SwitchState.ENGAGING
    assert told.verified_at is None
    assert told.message == f"still there: {left}"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (look(answers=SILENT), "no answer from 192.0.2.20:8080"),
        (look(answers=LINK), "no answer from 192.0.2.20:8080"),  # a proxy that takes calls is no engine that answers
        (look(Seen()), "no pod, no endpoint"),
        (look(Seen(pods=(pod(gate="False"),)), HELD, answers=SILENT), "1 pods are kept warm"),
        (look(Seen(pods=(pod(status={"phase": "Failed"}),)), HELD), "0 pods are kept warm"),
    ],
)
def test_engaged_is_said_with_its_proof(found: Findings, words: str) -> None:
    told = status_after(found)
    assert told.state is SwitchState.ENGAGED
    assert (told.traffic_cut_at, told.verified_at) == (T1, T1)
    assert words in told.message


def test_times_and_names_of_a_stop() -> None:
    told = status_after(look())
    assert (told.scope, told.mode, told.reason, told.killed_by) == ("deployment", "halt", "wrong dose", "kim")
    assert (told.admitted_at, told.engaged_at) == ("2026-01-01T00:00:00Z", T0)
    assert (told.last_pod_gone_at, told.seconds_to_stop) == (T1, 1.0)


def test_what_a_guard_saw_itself_is_more_exact_than_the_look() -> None:
    told = advanced(begun(stop(), None), look(), Moments(traffic_cut_at=T0, pods_gone_at=T1), T2)
    assert (told.traffic_cut_at, told.last_pod_gone_at, told.verified_at) == (T0, T1, T2)


def test_the_first_of_two_guards_writes_and_the_other_agrees() -> None:
    first = status_after(look(answers=SILENT))
    second = advanced(begun(stop(seen_at=T1), first), look(answers={}), Moments(), T2)
    assert second == first
    assert changes(first.wire(), second) == {}


def test_what_no_longer_holds_is_taken_back() -> None:
    broken = status_after(look(Seen(pods=(pod(),))), status_after(look()))
    assert broken.state is SwitchState.ENGAGING
    assert (broken.engaged_at, broken.traffic_cut_at) == (T0, None)
    assert (broken.last_pod_gone_at, broken.verified_at, broken.seconds_to_stop) == (None, None, None)


LOST_NODE = {"n1": NodeState.LOST}


def test_a_pod_on_a_lost_node_is_unconfirmed_and_named() -> None:
    told = status_after(look(Seen(pods=(dying(gate="False"),), workloads=(workload(0),)), nodes=LOST_NODE))
    assert (told.state, told.unconfirmed_pods) == (SwitchState.ENGAGED_UNVERIFIED, (LOST,))
    assert told.verified_at is None
    assert "notes-0 on n1" in told.message
    assert "kubectl taint node n1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute" in told.message


@pytest.mark.parametrize(
    ("node", "state"),
    [
        (NodeState.LOST, SwitchState.ENGAGED_UNVERIFIED),  # its object was deleted by force: that proves nothing
        (NodeState.OFF, SwitchState.ENGAGED),
        (NodeState.READY, SwitchState.ENGAGED),
    ],
)
def test_it_stays_unconfirmed_until_somebody_says_that_the_node_is_off(node: NodeState, state: SwitchState) -> None:
    told = status_after(look(nodes=LOST_NODE, before=(LOST,)))
    assert status_after(look(nodes={"n1": node}, before=told.unconfirmed_pods), told).state is state


def test_another_mode_is_another_stop_that_forgets_no_lost_pod() -> None:
    held = replace(status_after(look(due=HELD), mode=Mode.HOLD), unconfirmed_pods=(LOST,))
    told = begun(stop(seen_at=T2), held)
    assert (told.state, told.mode, told.engaged_at) == (SwitchState.ENGAGING, "halt", T2)
    assert told.unconfirmed_pods == (LOST,)
    assert continued(stop(), held) is None


def test_released_keeps_what_was_engaged_and_resumed_keeps_the_times() -> None:
    was = status_after(look())
    told = advanced(begun(stop(off=RELEASED_BY), was), look(), Moments(), T2)
    assert told == replace(was, state=SwitchState.RELEASED, message=str(RELEASED_BY))
    again = resumed(told)
    assert (again.state, again.verified_at, again.mode) == (SwitchState.RESUMED, T1, "halt")
    assert begun(stop(seen_at=T2), again).engaged_at == T2  # engaged anew, it begins anew


def test_released_before_any_guard_told_anything() -> None:
    told = advanced(begun(stop(off=RELEASED_BY), None), look(Seen(pods=(pod(),))), Moments(), T2)
    assert (told.state, told.mode, told.verified_at) == (SwitchState.RELEASED, "halt", None)


def test_no_text_is_longer_than_the_server_takes() -> None:
    long = stop(off=replace(ENGAGED_BY, reason="x" * 5000), annotations={"meditron.ai/kill-ticket": "y" * 5000})
    told = begun(long, None)
    assert (len(told.reason), len(told.ticket)) == (1024, 256)
    many = tuple(pod(f"notes-{number}", gate="False") for number in range(300))
    found = status_after(look(Seen(pods=many), nodes=LOST_NODE))
    assert len(found.unconfirmed_pods) == 128
    assert "295 more" in found.message


@pytest.mark.parametrize("stored", [None, "x", [], 3])
def test_a_patch_over_a_status_of_any_shape(stored: Any) -> None:
    told = status_after(look())
    assert changes(stored, told) == told.wire()


def test_a_patch_holds_what_differs_and_takes_away_what_is_gone() -> None:
    was = status_after(look()).wire()
    now = status_after(look(Seen(pods=(pod(gate="False"),))))
    assert changes(was | {"odd": 1}, now) == {
        "odd": None,
        "state": "Engaging",
        "lastPodGoneAt": None,
        "verifiedAt": None,
        "secondsToStop": None,
        "message": "still there: pod notes-0",
    }


DRAIN = stop(Mode.DRAIN, replace(ENGAGED_BY, mode="drain"))
BEGUN = begun(DRAIN, None)


@pytest.mark.parametrize(
    ("stored", "seen", "now", "over"),
    [
        (None, Seen(pods=(pod(),)), T1, False),
        (None, Seen(pods=(pod(),)), "2026-01-01T00:00:29.999Z", False),
        (None, Seen(pods=(pod(),)), "2026-01-01T00:00:30.000Z", True),
        (replace(BEGUN, engaged_at=T2), Seen(pods=(pod(),)), "2026-01-01T00:00:31.000Z", False),  # a restart
        (replace(BEGUN, traffic_cut_at=T1), Seen(pods=(pod(),)), T1, True),  # cut already
        (None, Seen(workloads=(workload(0),), pods=(pod(),)), T1, True),
        (None, Seen(workloads=(workload(1),)), T1, False),
    ],
)
def test_when_a_drain_is_over(stored: SwitchStatus | None, seen: Seen, now: str, over: bool) -> None:
    assert has_drained(DRAIN, target(status=stored.wire() if stored else None), seen, now) is over


def test_a_drain_that_nobody_told_of_counts_from_the_servers_time() -> None:
    assert drain_ends(replace(DRAIN, seen_at=T2), target()) == "2026-01-01T00:00:30.000Z"
    assert drain_ends(replace(DRAIN, seen_at=T2, admitted_at=None), target()) == "2026-01-01T00:00:32.000Z"
    # What somebody else wrote there and is no time must not end the stop.
    assert drain_ends(replace(DRAIN, seen_at=T2, admitted_at="soon"), target()) == "2026-01-01T00:00:32.000Z"


def test_seconds_are_never_negative() -> None:
    assert (seconds_between(T0, T2), seconds_between(T2, T0), seconds_between(None, T2)) == (2.0, 0.0, None)


def carrier(**annotations: str) -> Carrier:
    said = {f"meditron.ai/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return Carrier(scope=Scope.NAMESPACE, namespace="ward", name="ward", uid="u", annotations=said, admitted_at=None)


DONE = status_after(look())
UNPROVEN = replace(DONE, state=SwitchState.ENGAGED_UNVERIFIED, unconfirmed_pods=(LOST,), seconds_to_stop=2.5)


def test_the_outcome_of_a_carrier_is_that_of_all_that_it_stops() -> None:
    engaged = carrier(kill_switch="halt")
    both = outcome(engaged, [DONE, UNPROVEN])
    assert both is not None
    assert (both.state, both.deployments, both.unconfirmed_pods) == (SwitchState.ENGAGED_UNVERIFIED, 2, ("notes-0",))
    assert (both.verified_at, both.seconds_to_stop) == (None, 2.5)
    alone = outcome(engaged, [DONE])
    assert alone is not None
    assert (alone.state, alone.verified_at) == (SwitchState.ENGAGED, T1)


@pytest.mark.parametrize(
    ("annotations", "statuses", "state"),
    [
        ({"kill_switch": "halt"}, [], SwitchState.ENGAGED),
        ({"kill_switch": "halt"}, [DONE, None], None),
        ({"kill_switch": "halt"}, [DONE, replace(DONE, state=SwitchState.ENGAGING)], None),
        ({"kill_switch": "halt"}, [replace(DONE, mode="hold")], None),  # it has only just become stronger
        ({"kill_switch": "hold"}, [DONE], SwitchState.ENGAGED),
        ({"release_approved_by": "paul"}, [DONE], SwitchState.RELEASED),
        ({"release_approved_by": "paul", "resume": "rosa"}, [DONE], SwitchState.RESUMED),
        ({}, [DONE], None),
    ],
)
def test_an_outcome_is_told_once_it_is_known(annotations: Any, statuses: Any, state: SwitchState | None) -> None:
    found = outcome(carrier(**annotations), statuses)
    assert (found and found.state) == state


def test_what_is_told_when_a_stop_begins() -> None:
    assert begun(stop(record="kr-1"), None) == SwitchStatus(
        state=SwitchState.ENGAGING,
        scope="deployment",
        mode=Mode.HALT,
        reason="wrong dose",
        killed_by="kim",
        admitted_at="2026-01-01T00:00:00Z",
        engaged_at=T0,
        record="kr-1",
    )


def test_nothing_is_said_of_a_ticket_or_a_name_that_nobody_gave() -> None:
    told = begun(stop(annotations={}), None)
    assert (told.ticket, told.killed_by) == ("", "")


def test_a_stop_that_goes_on_keeps_its_times_and_its_record() -> None:
    stored = replace(begun(stop(record="kr-1"), None), admitted_at=T1)
    told = begun(stop(seen_at=T2, admitted_at=T2), stored)
    assert (told.admitted_at, told.engaged_at, told.record) == (T1, T0, "kr-1")
    assert begun(stop(record="kr-2"), stored).record == "kr-2"
    assert begun(stop(seen_at=T2), replace(stored, engaged_at=None)).engaged_at == T2


def test_another_scope_was_admitted_at_another_time() -> None:
    stored = replace(begun(stop(), None), admitted_at=T1)
    wider = Engaged(scope=Scope.NAMESPACE, mode="halt", reason="all of them")
    told = begun(stop(off=wider, admitted_at=T2), stored)
    assert (told.scope, told.admitted_at) == ("namespace", T2)


def test_released_before_it_was_told_and_after() -> None:
    told = begun(stop(off=RELEASED_BY), None)
    assert (told.state, told.scope, told.mode) == (SwitchState.RELEASED, "deployment", Mode.HALT)
    wider = Released(scope=Scope.CLUSTER, requested_by="rita", approved_by="paul")
    assert begun(stop(off=wider), begun(stop(), None)).scope == "cluster"


def test_resumed_says_so() -> None:
    told = resumed(replace(begun(stop(), None), unconfirmed_pods=(LOST,)))
    assert (told.state, told.message, told.unconfirmed_pods) == (SwitchState.RESUMED, "resumed: it may run", ())


def test_seconds_of_a_hold_are_those_until_nobody_new_gets_in() -> None:
    told = status_after(look(Seen(pods=(pod(gate="False"),)), HELD), mode=Mode.HOLD)
    assert told.seconds_to_stop == 1.0
    assert seconds_between("2026-01-01T00:00:00.0000Z", "2026-01-01T00:00:01.23456Z") == 1.235


def test_the_words_of_a_proof_follow_what_was_proven() -> None:
    proven = status_after(look(answers=SILENT))
    assert status_after(look(Seen()), proven).message == proven.message
    assert status_after(look(Seen(pods=(pod(),))), proven).message.startswith("still there")


def test_the_outcome_of_two_deployments_has_the_last_of_their_times() -> None:
    first = replace(
        status_after(look(answers=SILENT)), traffic_cut_at=T1, last_pod_gone_at=T1, verified_at=T2, seconds_to_stop=1.0
    )
    second = replace(first, traffic_cut_at=T0, last_pod_gone_at=T2, verified_at=T1, seconds_to_stop=2.0)
    found = outcome(carrier(kill_switch="halt"), [first, second])
    assert found is not None
    assert (found.traffic_cut_at, found.last_pod_gone_at, found.verified_at) == (T1, T2, T2)
    assert (found.seconds_to_stop, found.deployments, found.unconfirmed_pods) == (2.0, 2, ())


def test_a_stop_of_nothing_is_a_stop() -> None:
    found = outcome(carrier(kill_switch="halt"), [])
    assert found is not None
    assert (found.state, found.deployments, found.unconfirmed_pods) == (SwitchState.ENGAGED, 0, ())


def test_a_stop_without_seconds_has_an_outcome() -> None:
    told = replace(status_after(look(answers=SILENT)), seconds_to_stop=None, traffic_cut_at=None)
    found = outcome(carrier(kill_switch="halt"), [told])
    assert found is not None
    assert (found.seconds_to_stop, found.traffic_cut_at) == (None, None)


def test_a_release_counts_what_it_released() -> None:
    found = outcome(carrier(release_approved_by="paul"), [None, None])
    assert found is not None
    assert (found.state, found.deployments, found.unconfirmed_pods) == (SwitchState.RELEASED, 2, ())
