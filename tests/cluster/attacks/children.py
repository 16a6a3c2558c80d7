"""Attacks around the annotation: pods, replicas, policies and Services of a deployment that is off."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from meditron_operator import names
from tests.cluster.attacks.attack import APPLY, JSON_PATCH, MERGE, STRATEGIC, Attack, edited, fixed, metadata
from tests.cluster.attacks.world import (
    SCOPES,
    Place,
    deployments,
    place,
    pod,
    policy,
    service,
    statefulset,
)
from tests.cluster.support import Manifest

OURS: Final = {names.DEPLOYMENT_LABEL: "ward"}
FORCED: Final = {"fieldManager": "attacker", "force": "true"}
_OPERATOR: Final = frozenset({"operator"})


def attacks() -> Iterator[Attack]:
    """All of them, at every scope."""
    for scope in SCOPES:
        yield from _around(place(scope))
    for scope in SCOPES[:2]:  # the cluster has one carrier only, and that is halted
        for attack in _around(place(scope, "held")):
            yield replace(attack, name=f"in a hold: {attack.name}")
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/meditrondeployments.meditron.ai"
    yield Attack("DELETE of the CRD", place("deployment"), "DELETE", definition)
    nobodys = fixed(_pod("default", OURS))
    yield Attack("pod of no deployment", place("cluster"), "POST", _core("default", "pods"), nobodys)


def _around(where: Place) -> Iterator[Attack]:
    yield from _pods(where)
    yield from _replicas(where)
    yield from _policies(where)
    yield from _services(where)


def _pods(where: Place) -> Iterator[Attack]:
    path = _core(where.namespace, "pods")
    yield Attack("pod created", where, "POST", path, fixed(_pod(where.namespace, OURS)))
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "ward", "uid": "0", "controller": True}
    owned = _pod(where.namespace, OURS)
    owned["metadata"]["ownerReferences"] = [owner]
    yield Attack("pod created, owned by the StatefulSet", where, "POST", path, fixed(owned))
    loose = f"{path}/loose"
    yield Attack("pod relabelled, merge patch", where, "PATCH", loose, metadata(labels=OURS), MERGE)
    yield Attack("pod relabelled, strategic merge patch", where, "PATCH", loose, metadata(labels=OURS), STRATEGIC)
    labelled = edited(lambda body: body["metadata"].update(labels=OURS))
    yield Attack("pod relabelled, PUT", where, "PUT", loose, labelled, live=loose)
    applied = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "loose", "labels": OURS}}
    yield Attack("pod relabelled, server-side apply", where, "PATCH", loose, fixed(applied), APPLY, query=FORCED)


def _replicas(where: Place) -> Iterator[Attack]:
    sets = f"/apis/apps/v1/namespaces/{where.namespace}/statefulsets"
    ward, one = f"{sets}/ward", {"spec": {"replicas": 1}}
    more = edited(lambda body: body["spec"].update(replicas=1))
    yield Attack("StatefulSet patched to 1", where, "PATCH", ward, fixed(one), MERGE)
    yield Attack("StatefulSet patched to 1, strategic", where, "PATCH", ward, fixed(one), STRATEGIC)
    yield Attack("StatefulSet patched to 1, JSON patch", where, "PATCH", ward, fixed(_replaced(1)), JSON_PATCH)
    yield Attack("StatefulSet PUT at 1", where, "PUT", ward, more, live=ward)
    applied = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "ward"}, **one}
    yield Attack("StatefulSet applied at 1", where, "PATCH", ward, fixed(applied), APPLY, query=FORCED)
    hidden = {"metadata": {"labels": None}, **one}
    yield Attack("StatefulSet patched to 1, label off", where, "PATCH", ward, fixed(hidden), MERGE)
    yield Attack("StatefulSet scaled by patch", where, "PATCH", f"{ward}/scale", fixed(one), MERGE)
    yield Attack("StatefulSet scaled by PUT", where, "PUT", f"{ward}/scale", more, live=f"{ward}/scale")
    again = statefulset(where.namespace, 1, name="again")
    yield Attack("another StatefulSet of its pods", where, "POST", sets, fixed(again))
    mine = f"{deployments(where.namespace)}/ward"
    yield Attack("deployment patched to 3", where, "PATCH", mine, fixed({"spec": {"replicas": 3}}), MERGE)
    yield Attack("deployment scaled to 3", where, "PATCH", f"{mine}/scale", fixed({"spec": {"replicas": 3}}), MERGE)


def _policies(where: Place) -> Iterator[Attack]:
    namespace, path = where.namespace, f"/apis/networking.k8s.io/v1/namespaces/{where.namespace}/networkpolicies"
    wanted = {"matchLabels": OURS}
    yield Attack("allow-policy created", where, "POST", path, fixed(policy(namespace, "ward-allow", wanted)))
    yield Attack("policy of another name", where, "POST", path, fixed(policy(namespace, "innocent", wanted)))
    expression = {"key": names.DEPLOYMENT_LABEL, "operator": "In", "values": ["ward"]}
    by_expression = policy(namespace, "innocent", {"matchExpressions": [expression]})
    yield Attack("policy by expression", where, "POST", path, fixed(by_expression))
    yield Attack("existing policy turned", where, "PATCH", f"{path}/other", _selecting({"app": None, **OURS}), MERGE)
    if where.scope != "cluster":
        everybody = policy(namespace, "innocent", {})
        yield Attack("policy for all pods", where, "POST", path, fixed(everybody))
        by_name = policy(namespace, "innocent", {"matchLabels": {names.NAME_LABEL: "meditron"}})
        yield Attack("policy by the application's name", where, "POST", path, fixed(by_name))
    deny = f"{path}/ward-deny"
    opened = fixed({"spec": {"ingress": [{}]}})
    yield Attack("deny-policy opened", where, "PATCH", deny, opened, MERGE)
    narrowed = _selecting({names.DEPLOYMENT_LABEL: "nobody"})
    yield Attack("deny-policy turned away", where, "PATCH", deny, narrowed, MERGE, entitled=_OPERATOR)
    yield Attack("deny-policy deleted", where, "DELETE", deny, entitled=_OPERATOR)


def _services(where: Place) -> Iterator[Attack]:
    namespace, path = where.namespace, _core(where.namespace, "services")
    yield Attack("Service created", where, "POST", path, fixed(service(namespace, "mine", OURS)), entitled=_OPERATOR)
    turned = fixed({"spec": {"selector": {"app": None, **OURS}}})
    yield Attack("existing Service turned", where, "PATCH", f"{path}/other", turned, MERGE, entitled=_OPERATOR)
    if where.scope != "cluster":
        by_name = service(namespace, "mine", {names.NAME_LABEL: "meditron"})
        yield Attack("Service by the application's name", where, "POST", path, fixed(by_name), entitled=_OPERATOR)


def _core(namespace: str, plural: str) -> str:
    return f"/api/v1/namespaces/{namespace}/{plural}"


def _pod(namespace: str, labels: Mapping[str, str]) -> Manifest:
    return pod(namespace, "ward-0", labels)


def _replaced(count: int) -> list[Manifest]:
    return [{"op": "replace", "path": "/spec/replicas", "value": count}]


def _selecting(labels: Mapping[str, str | None]) -> Any:
    return fixed({"spec": {"podSelector": {"matchLabels": dict(labels)}}})
