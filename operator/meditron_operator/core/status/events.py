"""Kubernetes Events: one for each transition of a condition."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from meditron_operator import names
from meditron_operator.core.decide import Case
from meditron_operator.core.render.meta import Manifest

MAX_MESSAGE: Final = 1024  # characters; the server refuses more
_GOOD_NEWS: Final = frozenset(
    {
        "Valid",
        "Current",
        "Fixed",
        "BetterChoice",
        "Measured",
        "NotMeasured",
        "Scheduled",
        "Serving",
        "Complete",
        "RollingOut",
        "Creating",
        "Held",
        "Enforced",
        "NotEngaged",
        "Loading",
        "ScaledToZero",
    }
)


def event(case: Case, change: Mapping[str, Any], resource_version: str, now: str) -> Manifest:
    """The Event that tells of one changed condition.

    Its name follows from the transition and the deployment's `resource_version` before it, so that a pass which
    is cut off after posting posts it only once.
    """
    told = (case.owner.uid, resource_version, change["type"], change["reason"])
    digest = hashlib.sha256("/".join(map(str, told)).encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{names.child_name(case.owner.name)}.{digest}",
            "namespace": case.owner.namespace,
        },
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "name": case.owner.name,
            "namespace": case.owner.namespace,
            "uid": case.owner.uid,
        },
        "type": "Normal" if change["reason"] in _GOOD_NEWS else "Warning",
        "reason": change["reason"],
        "message": f"{change['type']}={change['status']}: {change['message']}"[:MAX_MESSAGE],
        "source": {"component": names.OPERATOR_NAME},
        "reportingComponent": f"{names.GROUP}/{names.OPERATOR_NAME}",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
