"""Ten thousand pods and as many policies of others: the operator starts about as soon, and within its memory."""

import time
from collections.abc import Callable
from typing import Any, Final

import pytest
import yaml

from tests.cluster.support import ROOT, Admin, deployment
from tests.faults import kinds
from tests.faults.calls import verb
from tests.faults.operators import Start, running
from tests.faults.proxy import FaultProxy, Rule

pytestmark = pytest.mark.cluster

CROWD: Final = 10_000
LIMIT_SECONDS: Final = 30.0
"""From the start of the process to a deployment that is as it should be, which was made meanwhile."""
SHARE: Final = 0.5
"""Of the memory that the chart allows."""
_BORN: Final = {"creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}
_FIELDS: Final[dict[str, Any]] = {f"f:field-{number}": {"f:value": {}, "f:name": {}} for number in range(40)}
_MANAGED: Final = [{"manager": "helm", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:spec": _FIELDS}}]
_ENVIRONMENT: Final = [{"name": f"SETTING_{number}", "value": "of somebody else"} for number in range(30)]


def _meta(number: int) -> dict[str, Any]:
    name = f"web-{number}"
    return {"name": name, "namespace": "elsewhere", "uid": name, "managedFields": _MANAGED, **_BORN}


def _pod(number: int) -> dict[str, Any]:
    """Of somebody else, without a GPU, and with as much in it as pods have."""
    spec = {"containers": [{"name": "web", "image": "web", "env": _ENVIRONMENT}], "nodeName": "elsewhere"}
    return {"metadata": _meta(number), "spec": spec, "status": {"phase": "Running"}}


def _policy(number: int) -> dict[str, Any]:
    return {"metadata": _meta(number), "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}


def _others(resource: str, item: Callable[[int], dict[str, Any]]) -> Rule:
    return Rule(verb("list", resource=resource), kinds.crowded(CROWD, item))


def allowed_mib() -> float:
    values = yaml.safe_load((ROOT / "charts" / "meditron-operator" / "values.yaml").read_text(encoding="utf-8"))
    limit: str = values["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    return float(limit.removesuffix("Mi"))


def begin(admin: Admin, start: Start, ward: str, name: str) -> tuple[float, float]:
    """Seconds and MiB until a deployment is as it should be."""
    since = time.monotonic()
    with running(start) as one:
        admin.create(deployment(name, ward, replicas=0))
        admin.wait_settled(ward, name, "Idle", LIMIT_SECONDS)
        return time.monotonic() - since, one.peak_mib()


def test_it_starts_among_ten_thousand_others(admin: Admin, proxy: FaultProxy, start: Start, ward: str) -> None:
    alone, small = begin(admin, start, ward, "alone")

    with proxy.fault(_others("pods", _pod), _others("networkpolicies", _policy)) as armed:
        took, peak = begin(admin, start, ward, "crowded")

    print(f"\n{2 * CROWD:,} others: {took:.1f} s and {peak:.0f} MiB; without them {alone:.1f} s and {small:.0f} MiB")
    assert armed.hits == CROWD / 500
    assert took <= LIMIT_SECONDS
    assert peak <= SHARE * allowed_mib()
