"""Who is woken by what."""

import asyncio
from typing import Any

import pytest

from meditron_operator.shell.backoff import Chance
from meditron_operator.shell.cluster import Cluster
from meditron_operator.shell.extent import Reach
from meditron_operator.shell.observer import Observer, oldest
from meditron_operator.shell.store import ObjectKey, replace_all
from tests.unit.apiserver import ApiServer, connected

CHANCE = Chance(clock=lambda: 0.0, random=lambda: 0.0)


def deployment(name: str, spec: Any) -> dict[str, Any]:
    meta = {"namespace": "ward", "name": name, "uid": name, "resourceVersion": "1"}
    return {"metadata": meta, "spec": spec}


def node(name: str, version: int, gpus: str = "1", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "resourceVersion": str(version),
            "labels": {"nvidia.com/gpu.product": "L4", **labels},
        },
        "spec": {},
        "status": {"allocatable": {"nvidia.com/gpu": gpus}, "conditions": [{"lastHeartbeatTime": str(version)}]},
    }


async def observed(cluster: Cluster) -> tuple[Observer, list[ObjectKey]]:
    """An observer that knows one deployment of each sort; what they woke is forgotten."""
    woken: list[ObjectKey] = []
    observer = Observer(cluster, woken.append, CHANCE, Reach(operator_namespace="meditron-system"))
    specs = {"auto": {"gpu": {"type": "auto"}}, "named": {"gpu": {"type": "L4"}}, "broken": None, "odd": {"gpu": 7}}
    for name, spec in specs.items():
        observer.deployments.put(deployment(name, spec))
    woken.clear()
    return observer, woken


async def test_nodes_wake_those_who_choose_and_once_only() -> None:
    async with connected(ApiServer()) as (cluster, _):
        observer, woken = await observed(cluster)
        replace_all(observer._nodes, [node(f"n{number}", 5) for number in range(9)], "5")
        await asyncio.sleep(0)
        assert woken == [("ward", "auto")]


async def test_a_heartbeat_wakes_nobody_and_a_change_does() -> None:
    async with connected(ApiServer()) as (cluster, _):
        observer, woken = await observed(cluster)
        observer._nodes.put(node("a", 5))
        await asyncio.sleep(0)
        woken.clear()
        observer._nodes.put(node("a", 6))
        await asyncio.sleep(0)
        assert woken == []
        for version, changed in enumerate((node("a", 7, gpus="2"), node("a", 8, zone="x")), 7):
            observer._nodes.put(changed)
            await asyncio.sleep(0)
            assert woken == [("ward", "auto")], version
            woken.clear()
        observer._nodes.drop(node("a", 9))
        await asyncio.sleep(0)
        assert woken == [("ward", "auto")]


def drained(kind: str, name: str, when: str) -> dict[str, Any]:
    """A carrier of the kill switch, as the API server shows who wrote the annotation when."""
    owned: Any = {"f:metadata": {"f:annotations": {"f:meditron.ai/kill-switch": {}}}}
    meta: dict[str, Any] = {"name": name, "uid": name, "resourceVersion": "9"}
    meta |= {"annotations": {"meditron.ai/kill-switch": "drain"}, "managedFields": [{"time": when, "fieldsV1": owned}]}
    return {"metadata": meta | ({"namespace": "ward"} if kind == "MeditronDeployment" else {})}


async def test_the_first_of_the_scopes_says_since_when_a_drain_is_asked_for() -> None:
    async with connected(ApiServer()) as (cluster, _):
        observer, _ = await observed(cluster)
        named = observer.deployment(("ward", "named"))
        assert named is not None
        assert observer.drain_since(named) is None
        observer.written("MeditronDeployment", drained("MeditronDeployment", "named", "t3"))
        observer._switches.put(drained("Namespace", "meditron-system", "t2"))
        named = observer.deployment(("ward", "named"))
        assert named is not None
        assert observer.drain_since(named) == "t2"
        observer._switches.put(drained("Namespace", "ward", "t1"))
        assert observer.drain_since(named) == "t1"


async def test_a_list_that_leaves_a_namespace_out_releases_nothing() -> None:
    """Only people release. When the namespace is there without the annotation, or deleted, it holds nothing off."""
    async with connected(ApiServer()) as (cluster, _):
        observer, woken = await observed(cluster)
        named = observer.deployment(("ward", "named"))
        assert named is not None
        stopped, free = drained("Namespace", "ward", "t1"), {"metadata": {"name": "ward", "resourceVersion": "12"}}
        observer._switches.put(stopped)
        woken.clear()

        assert observer._switches.retain(set(), "11"), "the watch is to ask again"

        assert observer.off(named) is not None
        assert woken == []
        replace_all(observer._switches, [free], "12")
        assert observer.off(named) is None
        observer._switches.put({"metadata": stopped["metadata"] | {"resourceVersion": "13"}})
        observer._switches.drop({"metadata": stopped["metadata"] | {"resourceVersion": "14"}})
        assert observer.off(named) is None


TWO = Reach(operator_namespace="meditron-system", namespaces=("a", "b"))


async def test_with_namespaces_given_it_looks_nowhere_else() -> None:
    async with connected(ApiServer()) as (cluster, _):
        watches = Observer(cluster, lambda _: None, CHANCE, TWO).watches
    looked_at = {(watch.resource.plural, watch.extent.namespace, watch.extent.name) for watch in watches}
    namespaced = {
        "statefulsets",
        "services",
        "serviceaccounts",
        "meditrondeployments",
        "networkpolicies",
        "poddisruptionbudgets",
        "pods",
    }
    assert looked_at == {(plural, namespace, "") for plural in namespaced for namespace in ("a", "b")} | {
        ("nodes", "", ""),
        ("namespaces", "", "a"),
        ("namespaces", "", "b"),
        ("namespaces", "", "meditron-system"),  # the switch of the whole cluster
    }


async def test_a_namespace_that_may_not_be_looked_at_holds_up_no_other() -> None:
    async with connected(ApiServer()) as (cluster, _):
        observer = Observer(cluster, lambda _: None, CHANCE, TWO)
        for watch in observer.watches:
            watch.answered.set()
            if watch.extent.namespace == "b":
                watch.refused = True
            else:
                watch.synced.set()
                watch.last_heard = 7.0
        assert observer.is_synced
        assert observer.shut == {"b"}
        assert observer.knows("a")
        assert not observer.knows("b")
        assert set(observer.heard().values()) == {7.0}

        (nodes,) = (watch for watch in observer.watches if watch.resource.plural == "nodes")
        nodes.synced.clear()
        assert not observer.is_synced  # of the whole cluster: nothing works without it


@pytest.mark.parametrize(("moments", "first"), [([3.0, 2.0], 2.0), ([3.0, None], None), ([0.0], 0.0)])
def test_never_heard_of_is_older_than_all(moments: list[float | None], first: float | None) -> None:
    assert oldest(moments) == first
