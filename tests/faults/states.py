"""What the operator has made of a deployment, without what differs between two that are the same."""

import json
from collections.abc import Mapping
from typing import Any, Final

from meditron_operator import names
from meditron_operator.shell.cluster import CHILDREN
from tests.cluster.support import Admin, Manifest

State = dict[str, Any]

_GIVEN_BY_THE_SERVER: Final = frozenset({"clusterIP", "clusterIPs"})
_MOMENTS: Final = frozenset({"lastTransitionTime", "since", "generation", "observedGeneration", "readAt"})


def state_of(admin: Admin, namespace: str, name: str) -> State:
    """Its children and its status; of both what a person would compare."""
    found: State = {}
    for kind in CHILDREN:
        for body in admin.list(kind, namespace, f"{names.DEPLOYMENT_LABEL}={name}"):
            found[f"{kind} {body['metadata']['name']}"] = {**_lasting(body), "status": None}
    deployment = admin.get(names.KIND, namespace, name)
    found["itself"] = None if deployment is None else {"status": _lasting(deployment)["status"]}
    told: State = json.loads(json.dumps(found).replace(name, "NAME").replace(namespace, "NAMESPACE"))
    return told


def _lasting(body: Manifest) -> State:
    meta = body["metadata"]
    owners = [{**owner, "uid": None} for owner in meta.get("ownerReferences", [])]
    kept = {key: value for key, value in body.items() if key not in ("metadata", "apiVersion", "kind")}
    head = {"labels": meta.get("labels"), "annotations": meta.get("annotations"), "ownerReferences": owners}
    return {"metadata": head, "status": None, **lasting(kept)}


def lasting(value: Any) -> Any:
    """Without what the server gives, and without moments."""
    if isinstance(value, Mapping):
        left_out = _GIVEN_BY_THE_SERVER | _MOMENTS
        return {key: lasting(item) for key, item in value.items() if key not in left_out}
    return [lasting(item) for item in value] if isinstance(value, list) else value
