"""Whatever is changed of a child, field by field, is put back: nothing that we render is left to anybody else."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from meditron_operator.core.decide import decide
from meditron_operator.core.live import Live
from meditron_operator.core.observed import Cluster
from meditron_operator.core.steps import Replace
from tests.unit.kit import case, child, children, stored
from tests.unit.rollout.scenes import OLD, replicas

SPEC = {"replicas": 2, "gpu.type": "A100-80GB", "network.monitoring": {"namespace": "m", "podLabels": {"app": "p"}}}
IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}
"""What makes it another object."""
IMMUTABLE = {"serviceName", "selector", "podManagementPolicy"}
"""Of a StatefulSet: told instead (ImmutableFields)."""
SERVING = tuple(replicas("old serves", "old serves").values())
Path = tuple[str | int, ...]


def leaves(body: Any, path: Path = ()) -> Iterator[Path]:
    """Every value, and every list and object as a whole."""
    if path:
        yield path
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inner:
        yield from leaves(value, (*path, key))


def changed(body: Any, path: Path) -> Any:
    """With something else at that place: an object and a list get one thing more."""
    copied = copy.deepcopy(body)
    *parents, last = path
    at = copied
    for step in parents:
        at = at[step]
    value = at[last]
    if isinstance(value, dict):
        value["added-by-hand"] = "x"
    elif isinstance(value, list):
        value.append("added by hand")
    elif isinstance(value, bool):
        at[last] = not value
    else:
        at[last] = value + 1 if isinstance(value, int) else f"{value}x"
    return copied


CASES = [
    (manifest["kind"], manifest["metadata"]["name"], path)
    for manifest in children(SPEC)
    for path in leaves(manifest)
    if path not in IDENTITY
    and path[:1] != ("metadata",)
    and path != ("spec",)
    and not (manifest["kind"] == "StatefulSet" and path[1] in IMMUTABLE)
]
METADATA = [
    (manifest["kind"], manifest["metadata"]["name"], path)
    for manifest in children(SPEC)
    for path in leaves(manifest["metadata"], ("metadata",))
    if path not in IDENTITY and path[1:2] == ("labels",) and len(path) == 3
]


def there(kind: str, name: str, path: Path) -> Cluster:
    """All children, one of them changed in one place, and a StatefulSet whose controller has seen it."""
    found = []
    for manifest in children(SPEC):
        mine = (manifest["kind"], manifest["metadata"]["name"]) == (kind, name)
        obj = stored(changed(manifest, path) if mine else manifest)
        if obj["kind"] == "StatefulSet":
            obj["status"] = {"observedGeneration": 1, "updateRevision": OLD, "currentRevision": OLD}
        found.append(Live.of(obj["kind"], obj))
    return Cluster(children=tuple(found), pods=SERVING)


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in CASES}))
def test_every_field_is_put_back(kind: str) -> None:
    for _, name, path in (row for row in (*CASES, *METADATA) if row[0] == kind):
        decision = decide(case(SPEC), there(kind, name, path), {})
        (step,) = (*decision.foundation, *decision.workload)
        assert isinstance(step, Replace), path
        assert step.desired == child(children(SPEC), kind, name), path


def test_all_of_them_at_once() -> None:
    found = [changed(manifest, ("spec",)) if "spec" in manifest else manifest for manifest in children(SPEC)]
    decision = decide(case(SPEC), Cluster(children=tuple(Live.of(each["kind"], stored(each)) for each in found)), {})
    written = {step.ref.name for step in (*decision.foundation, *decision.workload)}
    assert written == {each["metadata"]["name"] for each in children(SPEC) if "spec" in each}
