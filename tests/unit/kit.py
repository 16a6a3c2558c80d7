"""What several tests start from: a spec, its case, and what the API server makes of an object."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.decide import Case
from meditron_operator.core.killswitch import (
    Draining,
    Engaged,
    Off,
    Released,
    Scope,
    SwitchStatus,
    stop_of,
)
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Cluster, Node, Pod
from meditron_operator.core.render import Site, desired
from meditron_operator.core.render.meta import Manifest, Owner
from meditron_operator.core.rollout import History

DIGEST: Final = "@sha256:" + "0" * 64
IMAGE: Final = "registry.example.com/tgi-nonroot" + DIGEST
OWNER: Final = Owner(name="ward", namespace="clinical-ai", uid="owner-uid")
OPERATOR_NAMESPACE: Final = "meditron-system"
RELEASED: Final = Released(scope=Scope.DEPLOYMENT, requested_by="rita", approved_by="paul")
HALT: Final = Engaged(scope=Scope.DEPLOYMENT, mode="halt", reason="wrong dose")
HOLD: Final = Engaged(scope=Scope.DEPLOYMENT, mode="hold", reason="wrong dose")
DRAIN: Final = Engaged(scope=Scope.DEPLOYMENT, mode="drain", reason="wrong dose")
BEGUN: Final = "2026-02-02T02:02:00Z"
"""When a drain was asked for: 10 s before `MOMENT`, of 30 that it may take."""
MOMENT: Final = datetime(2026, 2, 2, 2, 2, 10, tzinfo=UTC)
GONE: Final = object()
HOST: Final = {"cpu": "64", "memory": "512Gi", "ephemeral-storage": "500Gi"}

_SPEC: Final[Mapping[str, Any]] = {
    "model": {
        "id": "meditron-70b",
        "quantization": "gptq",
        "contextTokens": 4096,
        "source": {"persistentVolumeClaim": {"claimName": "weights"}},
    },
    "gpu": {"type": "A100-80GB"},
    "network": {"clients": [{"namespace": "ward-apps", "podLabels": {"app": "notes"}}]},
    "engine": {"image": IMAGE},
}


def spec(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A spec that fits, with `changes` by dotted path; GONE takes a field away."""
    raw: dict[str, Any] = copy.deepcopy(dict(_SPEC))
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        at = raw
        for step in parents:
            at = at.setdefault(step, {})
        if value is GONE:
            at.pop(last, None)
        else:
            at[last] = value
    return raw


def accepted(changes: Mapping[str, Any] | None = None) -> Accepted:
    """What becomes of a spec that fits."""
    verdict = assess(OWNER.name, spec(changes), None)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def case(
    changes: Mapping[str, Any] | None = None,
    *,
    off: Off | None = None,
    guard: SwitchStatus | None = None,
    history: History | None = None,
) -> Case:
    """The case of OWNER at MOMENT; a spec that is refused is fine too. `guard` is what the guard told."""
    verdict = assess(OWNER.name, spec(changes), None)
    stop = stop_of(off, {}, guard, Draining(since=BEGUN, grace_seconds=30), MOMENT)
    return Case(
        owner=OWNER,
        generation=3,
        stop=stop,
        verdict=verdict,
        operator_namespace=OPERATOR_NAMESPACE,
        moment=MOMENT,
        history=history or History(),
    )


def children(
    changes: Mapping[str, Any] | None = None, *, stopped: bool = False, owner: Owner = OWNER
) -> list[Manifest]:
    """All children of a spec that fits."""
    good = accepted(changes)
    return desired(owner, good.sized, Site(operator_namespace=OPERATOR_NAMESPACE, image=good.image, stopped=stopped))


def child(manifests: Iterable[Manifest], kind: str, name: str = OWNER.name) -> Manifest:
    """The one of that kind and name."""
    found = [item for item in manifests if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def stored(manifest: Manifest, version: int = 7) -> dict[str, Any]:
    """`manifest` as the API server shows it: with all that the server adds by itself."""
    obj = copy.deepcopy(manifest)
    obj["metadata"] |= {
        "uid": f"uid-of-{obj['kind']}-{obj['metadata']['name']}",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 1,
        "managedFields": [{"manager": "meditron-operator"}],
    }
    if obj["kind"] == "Service":
        address = obj["spec"].get("clusterIP", "10.0.0.7")
        obj["spec"] |= {
            "clusterIP": address,
            "clusterIPs": [address],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
        }
    if obj["kind"] != "NetworkPolicy":
        obj["status"] = {}
    return obj


def live(manifest: Manifest, version: int = 7) -> Live:
    """`manifest` as the operator remembers it."""
    return Live.of(manifest["kind"], stored(manifest, version))


def cluster(manifests: Iterable[Manifest], **rest: Any) -> Cluster:
    """A cluster that holds these children."""
    return Cluster(children=tuple(live(manifest) for manifest in manifests), **rest)


def pod(name: str = "ward-0", **changes: Any) -> Pod:
    """A pod of OWNER: ready on a node, unless `changes` say otherwise. In wire form see test_observed."""
    given: dict[str, Any] = {
        "metadata": {
            "namespace": changes.pop("namespace", OWNER.namespace),
            "name": name,
            "uid": f"uid-of-{name}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"meditron.ai/deployment": OWNER.name},
            "ownerReferences": [{"controller": True, "uid": f"uid-of-StatefulSet-{OWNER.name}"}],
        },
        "spec": {
            "nodeName": changes.pop("node", "node-1"),
            "containers": [{"resources": {"limits": {"nvidia.com/gpu": str(changes.pop("gpus", 1))}}}],
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    for part, value in changes.items():
        given[part] = {**given[part], **value}
    if given["spec"]["nodeName"] is None:
        del given["spec"]["nodeName"]
    return Pod.of(given)


def node(
    name: str = "node-1",
    product: str = "NVIDIA-A100-SXM4-80GB",
    gpus: int = 8,
    conditions: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> Node:
    """A node with GPUs."""
    return Node.of(
        {
            "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product}},
            "spec": spec,
            "status": {"allocatable": {"nvidia.com/gpu": str(gpus), **HOST}, "conditions": conditions or []},
        }
    )


def saying(live: Live, body: Mapping[str, Any]) -> Live:
    """The same object with another body."""
    return replace(live, text=orjson.dumps((body, live.status)))
