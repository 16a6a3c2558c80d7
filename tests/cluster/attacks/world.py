"""What is attacked: carriers of the annotation in every state, the children around them, and the API server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from meditron_operator import names
from tests.cluster.support import Manifest, deployment

CLUSTER: Final = "meditron-system"
SCOPES: Final = ("deployment", "namespace", "cluster")

RITA: Final = "rita"  # requested a release, and is none of the attackers
PAUL: Final = "paul"  # approved one


def moment(ago: timedelta = timedelta()) -> str:
    """As the annotation wants it."""
    return (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")


def states() -> Mapping[str, dict[str, str]]:
    """The annotations of a carrier in each state that the switch can be in."""
    engaged = {names.KILL_SWITCH: "halt", names.KILL_REASON: "wrong dose", names.KILLED_BY: "anna"}
    asked = {names.RELEASE_REQUESTED_BY: RITA, names.RELEASE_REQUESTED_AT: moment()}
    released = {**asked, names.RELEASE_APPROVED_BY: PAUL}
    return {
        "running": {},
        "engaged": engaged,
        "asked": engaged | asked,
        "asked-long-ago": engaged | asked | {names.RELEASE_REQUESTED_AT: moment(timedelta(minutes=20))},
        "asked-by-soloist": engaged | asked | {names.RELEASE_REQUESTED_BY: "soloist"},
        "again": {**engaged, names.RELEASE_APPROVED_BY: PAUL, names.RESUME: RITA},
        "released": released,
        "resumed": released | {names.RESUME: RITA},
        "leaving": engaged,
        "held": engaged | {names.KILL_SWITCH: "hold"},
    }


@dataclass(frozen=True, slots=True)
class Place:
    """One scope's victim: the carrier of the annotation, and a deployment whose children are attacked."""

    scope: str
    namespace: str  # of the deployment `ward`
    carrier: Manifest  # apiVersion, kind, metadata

    @property
    def carrier_path(self) -> str:
        name = self.carrier["metadata"]["name"]
        if self.carrier["kind"] == "Namespace":
            return f"/api/v1/namespaces/{name}"
        return f"{deployments(self.namespace)}/{name}"


def deployments(namespace: str) -> str:
    return f"/apis/meditron.ai/v1alpha1/namespaces/{namespace}/meditrondeployments"


def place(scope: str, state: str = "engaged") -> Place:
    """Where the carrier of that scope and state is."""
    if scope == "deployment":
        name = "ward" if state in ("engaged", "held") else state
        namespace = "scope-deployment-held" if state == "held" else "scope-deployment"
        return Place(scope, namespace, deployment(name, namespace))
    name = CLUSTER if scope == "cluster" else f"scope-{state}"
    body: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return Place(scope, "scope-cluster" if scope == "cluster" else name, body)


def manifests() -> list[Manifest]:
    """Everything that stands before the policies are there: they would refuse most of it."""
    plain = ("scope-deployment", "scope-deployment-held", "scope-cluster")
    made: list[Manifest] = [_namespace(name, {}) for name in plain]
    for state, annotations in states().items():
        carrier = place("deployment", state).carrier
        carrier["metadata"]["annotations"] = annotations
        if state == "leaving":
            carrier["metadata"]["finalizers"] = ["example.com/hold"]
        made += [carrier, _namespace(f"scope-{state}", annotations)]
    for namespace in ("scope-engaged", "scope-held", "scope-cluster"):
        made.append(deployment("ward", namespace))
    for namespace in (*plain, "scope-engaged", "scope-held"):
        made += children(namespace)
    return made


def children(namespace: str) -> list[Manifest]:
    """What the operator leaves standing of a deployment that is off, and three harmless things of others."""
    ours = {names.DEPLOYMENT_LABEL: "ward"}
    return [
        statefulset(namespace, 0),
        policy(namespace, "ward-deny", {"matchLabels": ours}, opens=False),
        policy(namespace, "other", {"matchLabels": {"app": "other"}}),
        service(namespace, "other", {"app": "other"}),
        pod(namespace, "loose", {"app": "other"}),
    ]


def statefulset(namespace: str, replicas: int, name: str = "ward") -> Manifest:
    labels = {names.DEPLOYMENT_LABEL: "ward"}
    template = pod(namespace, "x", labels)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "serviceName": "ward-pods",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    }


def pod(namespace: str, name: str, labels: Mapping[str, str]) -> Manifest:
    spec = {"containers": [{"name": "engine", "image": "registry.example.com/tgi"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": spec,
    }


def policy(namespace: str, name: str, selector: Mapping[str, Any], *, opens: bool = True) -> Manifest:
    spec = {"podSelector": selector, "policyTypes": ["Ingress"], **({"ingress": [{}]} if opens else {})}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def service(namespace: str, name: str, selector: Mapping[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": dict(selector), "ports": [{"port": 8080}]},
    }


def _namespace(name: str, annotations: Mapping[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": dict(annotations)}}
