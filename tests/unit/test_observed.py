"""Pods and nodes as the API server writes them, cut down to what decides."""

from typing import Any

import pytest

from meditron_operator.core.observed import Gate, Node, Pod, Trouble
from tests.unit.kit import node, pod


def with_container(**status: Any) -> Pod:
    return pod(status={"containerStatuses": [{"name": "tgi", **status}]})


def test_a_running_pod() -> None:
    found = pod(gpus=4)
    assert (found.node, found.gpus, found.ready) == ("node-1", {"nvidia.com/gpu": 4}, True)
    assert not found.deleting
    assert not found.finished
    assert found.holds_gpus
    assert (found.trouble, found.unschedulable, found.restarts) == (None, None, 0)


def test_a_pod_of_which_nothing_is_known_yet() -> None:
    found = Pod.of(
        {"metadata": {"namespace": "a", "name": "b", "uid": "u", "creationTimestamp": "t"}, "spec": {"containers": []}}
    )
    assert (found.deployment, found.node, found.ready, found.holds_gpus) == (None, None, False, False)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"node": None}, False),
        ({"status": {"phase": "Succeeded"}}, False),
        ({"status": {"phase": "Failed"}}, False),
        ({"status": {"phase": "Pending"}}, True),
        ({"metadata": {"deletionTimestamp": "t"}}, True),
    ],
)
def test_gpus_are_held_from_binding_until_the_pod_is_finished(changes: dict[str, Any], *, holds: bool) -> None:
    assert pod(**changes).holds_gpus is holds


def resources(*containers: dict[str, Any]) -> Pod:
    return pod(spec={"containers": [{"resources": given} for given in containers]})


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        (({},), {}),
        (({"limits": {"cpu": "1"}},), {}),
        (({"limits": {"nvidia.com/gpu": "2"}},), {"nvidia.com/gpu": 2}),
        (({"requests": {"nvidia.com/gpu": "2"}, "limits": {"nvidia.com/gpu": "2"}},), {"nvidia.com/gpu": 2}),
        (({"limits": {"nvidia.com/gpu": "2"}}, {"limits": {"nvidia.com/gpu": "3"}}), {"nvidia.com/gpu": 5}),
        (({"limits": {"amd.com/gpu": "1", "nvidia.com/gpu": "1"}},), {"amd.com/gpu": 1, "nvidia.com/gpu": 1}),
        (({"limits": {"example.com/other": "1"}},), {}),
    ],
)
def test_gpus_of_all_containers_count(containers: tuple[dict[str, Any], ...], expected: dict[str, int]) -> None:
    assert resources(*containers).gpus == expected


@pytest.mark.parametrize(("amount", "count"), [("0", 0), ("1k", 1000), ("1e3", 1000), ("2M", 2_000_000)])
def test_anybodys_absurd_amount_is_a_number_too(amount: str, count: int) -> None:
    """The server writes 1000 back as 1k. A pod that nobody can schedule must not end the operator."""
    assert resources({"limits": {"nvidia.com/gpu": amount}}).gpus == {"nvidia.com/gpu": count}


def test_a_node() -> None:
    found = node(gpus=8)
    assert (found.name, found.gpus, found.schedulable) == ("node-1", {"nvidia.com/gpu": 8}, True)
    assert not node(unschedulable=True).schedulable


def test_a_node_of_which_nothing_is_known_yet() -> None:
    found = Node.of({"metadata": {"name": "n"}, "spec": {}})
    assert (found.labels, found.gpus, found.taints, found.schedulable) == ({}, {}, (), True)
    assert (found.cpus, found.memory_bytes, found.ephemeral_storage_bytes) == (0, 0, 0)


def test_what_a_node_can_give() -> None:
    allocatable = {
        "cpu": "63500m",
        "memory": "263856532Ki",
        "ephemeral-storage": "95551679124",
        "nvidia.com/gpu": "0",
        "nvidia.com/mig-3g.40gb": "2",
        "example.com/other": "9",
    }
    taints = [
        {"key": "nvidia.com/gpu", "effect": "NoSchedule"},
        {"key": "team", "value": "a", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"},
    ]
    found = Node.of({"metadata": {"name": "n"}, "spec": {"taints": taints}, "status": {"allocatable": allocatable}})
    assert found.gpus == {"nvidia.com/gpu": 0, "nvidia.com/mig-3g.40gb": 2}
    assert (found.cpus, found.memory_bytes) == (63, 263_856_532 * 1024)
    assert found.ephemeral_storage_bytes == 95_551_679_124
    assert [str(taint) for taint in found.taints] == ["nvidia.com/gpu:NoSchedule", "team=a:NoExecute"]


def gpus(amount: int, **rest: str) -> dict[str, Any]:
    return {"resources": {"limits": {"nvidia.com/gpu": str(amount)}}, **rest}


@pytest.mark.parametrize(
    ("begin", "containers", "expected"),
    [
        ([gpus(4)], [gpus(1)], 4),
        ([gpus(1)], [gpus(4)], 4),
        ([gpus(2), gpus(3)], [gpus(1)], 3),
        ([gpus(1, restartPolicy="Always")], [gpus(2)], 3),
    ],
)
def test_init_containers_count_one_by_one_and_sidecars_all_the_time(
    begin: list[dict[str, Any]], containers: list[dict[str, Any]], expected: int
) -> None:
    found = pod(spec={"initContainers": begin, "containers": containers})
    assert found.gpus == {"nvidia.com/gpu": expected}


def test_slices_of_a_card_count() -> None:
    assert resources({"limits": {"nvidia.com/mig-1g.10gb": "2"}}).gpus == {"nvidia.com/mig-1g.10gb": 2}


def test_unschedulable_is_what_the_scheduler_says() -> None:
    said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    assert pod(node=None, status={"conditions": [said]}).unschedulable == "0/3 nodes"
    assert pod(node=None, status={"conditions": [said | {"reason": "SchedulingGated"}]}).unschedulable is None
    placed = {"type": "PodScheduled", "status": "True"}
    assert pod(status={"conditions": [placed]}).unschedulable is None


OOM = {"reason": "OOMKilled", "exitCode": 137}
ERROR = {"reason": "Error", "exitCode": 1, "message": "shard failed\n"}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m"}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"state": {"running": {}}, "ready": True}, None),
        ({"state": {"running": {}}, "lastState": {"terminated": ERROR}, "ready": True}, None),
        (  # between two tries of a crash loop
            {"state": {"running": {}}, "lastState": {"terminated": ERROR}, "ready": False},
            Trouble(reason="Error", message="shard failed", exit_code=1),
        ),
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "lastState": {"terminated": ERROR}},
            Trouble(reason="ImagePullBackOff", message=""),
        ),
        ({"state": BACK_OFF}, Trouble(reason="CrashLoopBackOff", message="back-off 5m")),
        ({"state": {}}, None),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, None),
        ({"state": {"waiting": {"reason": "PodInitializing"}}}, None),
        ({"state": {"terminated": ERROR}}, Trouble(reason="Error", message="shard failed", exit_code=1)),
        (
            {"state": BACK_OFF, "lastState": {"terminated": ERROR}},
            Trouble(reason="Error", message="shard failed", exit_code=1),
        ),
        ({"state": BACK_OFF, "lastState": {"terminated": OOM}}, Trouble(reason="OOMKilled", message="", exit_code=137)),
        (
            {"state": {"waiting": {"reason": "ErrImagePull", "message": "denied"}}},
            Trouble(reason="ErrImagePull", message="denied"),
        ),
    ],
)
def test_trouble_has_the_containers_last_words(status: dict[str, Any], expected: Trouble | None) -> None:
    assert with_container(**status).trouble == expected


GATED = {"readinessGates": [{"conditionType": "meditron.ai/serving"}]}
OTHERS = {"readinessGates": [{"conditionType": "example.com/other"}]}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, "True", Gate.ABSENT),
        (OTHERS, "True", Gate.ABSENT),
        (GATED, None, Gate.CLOSED),
        (GATED, "False", Gate.CLOSED),
        (GATED, "True", Gate.OPEN),
    ],
)
def test_the_gate_counts_where_the_pod_has_it(spec: dict[str, Any], status: str | None, expected: Gate) -> None:
    said = [{"type": "meditron.ai/serving", "status": status}] if status else []
    assert pod(spec=spec, status={"conditions": said}).gate is expected


@pytest.mark.parametrize(
    ("gate", "started", "healthy", "ill"),
    [
        ("True", True, "False", True),
        ("False", True, "False", False),  # not well yet, so it can't be ill
        ("True", False, "False", False),  # starts again: see its trouble
        ("True", True, "True", False),
    ],
)
def test_an_engine_is_ill_that_was_well_and_runs(*, gate: str, started: bool, healthy: str, ill: bool) -> None:
    said = [{"type": "meditron.ai/serving", "status": gate}, {"type": "ContainersReady", "status": healthy}]
    container = {"started": started, "ready": healthy == "True", "state": {"running": {}}}
    assert pod(spec=GATED, status={"conditions": said, "containerStatuses": [container]}).is_ill is ill


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("setting\n" * 500 + "\nError: WebserverFailed\n", "Error: WebserverFailed"),
        ("x" * 3000, "x"),
        ("one line", "one line"),
    ],
)
def test_the_last_lines_of_an_end_are_told(said: str, told: str) -> None:
    trouble = with_container(state={"terminated": ERROR | {"message": said}}).trouble
    assert trouble is not None
    assert trouble.message.endswith(told)
    assert len(trouble.message) <= 1200
    assert trouble.message.split("\n")[0] in {"setting", told, "x" * 1200}


def test_restarts_of_all_containers_count() -> None:
    assert pod(status={"containerStatuses": [{"restartCount": 2}, {"restartCount": 3}]}).restarts == 5
