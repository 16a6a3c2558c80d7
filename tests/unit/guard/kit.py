"""Objects as the API server shows them, for the guard."""

from typing import Any

from meditron_operator.core.guard.carriers import Target
from meditron_operator.core.guard.seen import Pod, Policy, Scaler, Workload

Body = dict[str, Any]
OWNER = {"kind": "MeditronDeployment", "name": "notes", "uid": "u-notes", "controller": True}
MAKER = {"kind": "StatefulSet", "name": "notes", "uid": "u-set", "controller": True}


def meta(name: str, **more: Any) -> Body:
    return {"name": name, "namespace": "ward", "uid": f"u-{name}", "resourceVersion": "7", **more}


def target(name: str = "notes", status: Any = None, spec: Any = None, **annotations: str) -> Target:
    said = {f"meditron.ai/{key.replace('_', '-')}": value for key, value in annotations.items()}
    body = {"metadata": meta(name, annotations=said), "spec": spec}
    return Target.of(body | ({"status": {"killSwitch": status}} if status is not None else {}))


def pod_body(name: str = "notes-0", *, gate: str = "True", label: str | None = "notes", **more: Any) -> Body:
    labels = {"app.kubernetes.io/name": "meditron"} | ({"meditron.ai/deployment": label} if label else {})
    spec = {
        "serviceAccountName": "notes",
        "nodeName": "n1",
        "readinessGates": [{"conditionType": "meditron.ai/serving"}],
    }
    conditions = [{"type": "meditron.ai/serving", "status": gate}]
    return {
        "metadata": meta(name, labels=labels, ownerReferences=[MAKER]) | more.get("metadata", {}),
        "spec": spec | more.get("spec", {}),
        "status": {"podIP": "192.0.2.130", "conditions": conditions} | more.get("status", {}),
    }


def pod(name: str = "notes-0", **more: Any) -> Pod:
    return Pod.of(pod_body(name, **more))


def dying(name: str = "notes-0", grace: int = 1, **more: Any) -> Pod:
    ends = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}
    return pod(name, metadata=ends, **more)


def workload(replicas: int = 1, name: str = "notes", **metadata: Any) -> Workload:
    body = {"metadata": meta(name, ownerReferences=[OWNER]) | metadata, "spec": {"replicas": replicas}}
    return Workload.of(body)


def policy(name: str = "notes-allow", ingress: Any = ({"from": []},), **metadata: Any) -> Policy:
    return Policy.of({"metadata": meta(name, ownerReferences=[OWNER]) | metadata, "spec": {"ingress": ingress}})


def scaler(kind: str = "MeditronDeployment", name: str = "notes", **annotations: str) -> Scaler:
    body = {
        "metadata": meta("scaler", annotations=annotations),
        "spec": {"scaleTargetRef": {"kind": kind, "name": name}},
    }
    return Scaler.of(body)
