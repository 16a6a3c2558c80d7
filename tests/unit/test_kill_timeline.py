"""What a person is told while a stop goes on."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.killswitch.sight import Sight
from meditron_operator.core.killswitch.timeline import events
from meditron_operator.core.killswitch.told import SwitchState
from tests.unit.killing import ENGAGED, deployment, endpoint_slice, pod, policy, sight, told, workload


def story(*looks: dict[str, Any]) -> list[str]:
    """What is said of looks that follow each other."""
    said: list[str] = []
    before: Sight | None = None
    for look in looks:
        after = sight(**look)
        said += events(before, after)
        before = after
    return said


RUNNING: dict[str, Any] = {
    "body": deployment(ENGAGED),
    "pods": (pod(open_=True),),
    "policies": (policy(),),
    "workloads": (workload(1),),
    "slices": (endpoint_slice("10.0.0.1"),),
    "shut": False,
}


def test_a_stop_from_the_first_look_to_the_proof() -> None:
    assert story(
        RUNNING,
        RUNNING | {"shut": True, "policies": (), "pods": (pod(),)},
        RUNNING | {"shut": True, "policies": (), "pods": (pod(grace=1),), "workloads": (workload(0),)},
        {"body": deployment(ENGAGED, told(SwitchState.ENGAGING, message="pods")), "shut": True},
        {"body": deployment(ENGAGED, told(message="no answer")), "shut": True},
    ) == [
        "the API server lets no pod of it in any more",
        "the clients' policy is gone: nobody may connect",
        "the gates are closed: no new connection through its Service",
        "its StatefulSet wants no replica",
        "pod notes-0 was told to end within 1 s",
        "pod notes-0 is gone",
        "no pod is left",
        "its Service leads nowhere: no endpoint is left",
        "the guard says Engaging: pods",
        "the guard says Engaged: no answer",
    ]


def test_one_that_slips_in_is_told() -> None:
    after = RUNNING | {"pods": (pod("notes-1"),)}
    said = story(RUNNING, after)
    assert said.index("pod notes-1 slipped in") < said.index("pod notes-0 is gone")
    assert "no pod is left" not in said


def test_of_a_stop_that_is_over_the_first_look_tells_all() -> None:
    said = story({"body": deployment(ENGAGED, told()), "shut": True})
    assert "no pod is left" in said
    assert "the guard says Engaged" in said


def test_what_nobody_may_look_at_is_not_told() -> None:
    unseen = {"body": deployment(ENGAGED), "pods": None, "policies": None, "workloads": None, "slices": None}
    assert story(unseen) == []
    assert story(RUNNING, unseen) == []


LOOKS = st.fixed_dictionaries(
    {
        "body": st.sampled_from(
            [deployment(ENGAGED), deployment(ENGAGED, told()), deployment(ENGAGED, told(message="x"))]
        ),
        "pods": st.none()
        | st.lists(
            st.builds(
                pod,
                st.sampled_from(["notes-0", "notes-1"]),
                open_=st.booleans(),
                grace=st.none() | st.integers(0, 60),
            ),
            unique_by=lambda each: each["metadata"]["name"],
        ).map(tuple),
        "policies": st.sampled_from([None, (), (policy(),)]),
        "workloads": st.sampled_from([None, (), (workload(0),), (workload(2),)]),
        "slices": st.sampled_from([None, (), (endpoint_slice("10.0.0.1"),)]),
        "shut": st.sampled_from([None, False, True]),
    }
)


@given(LOOKS)
def test_nothing_is_told_twice(look: dict[str, Any]) -> None:
    seen = sight(**look)
    assert events(seen, seen) == ()


@given(st.lists(LOOKS, min_size=2, max_size=6))
def test_no_pod_is_gone_that_was_not_there(looks: list[dict[str, Any]]) -> None:
    before: Sight | None = None
    for look in looks:
        after = sight(**look)
        said = events(before, after)
        gone = {text.split()[1] for text in said if text.endswith("is gone") and text.startswith("pod ")}
        assert gone <= _names(before)
        assert not gone & _names(after)
        assert ("no pod is left" not in said) or after.pods == ()
        before = after


def _names(seen: Sight | None) -> set[str]:
    pods: Iterable[Any] = (seen.pods if seen else None) or ()
    return {each.name for each in pods}
