"""Names that users and other programs rely on: stable once they are in a release."""

import hashlib
import re
from typing import Final

GROUP: Final = "meditron.ai"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "MeditronDeployment"
PLURAL: Final = "meditrondeployments"

FIELD_MANAGER: Final = "meditron-operator"
OPERATOR_NAME: Final = "meditron-operator"
GUARD_NAME: Final = "meditron-guard"
"""Field manager, service account and Deployment of the guard."""

KILL_MANAGER: Final = "meditron-kill"
"""Field manager of `meditron kill`, and of nothing else: the server keeps when each manager last wrote."""
RELEASE_MANAGER: Final = "meditron-release"
"""Field manager of the steps of a release."""

RECORD_KIND: Final = "KillRecord"
RECORD_PLURAL: Final = "killrecords"

KILL_SWITCH: Final = f"{GROUP}/kill-switch"
KILL_REASON: Final = f"{GROUP}/kill-reason"
KILL_TICKET: Final = f"{GROUP}/kill-ticket"
KILLED_BY: Final = f"{GROUP}/killed-by"
RELEASE_REQUESTED_BY: Final = f"{GROUP}/release-requested-by"
RELEASE_REQUESTED_AT: Final = f"{GROUP}/release-requested-at"
RELEASE_APPROVED_BY: Final = f"{GROUP}/release-approved-by"
RESUME: Final = f"{GROUP}/resume"

PURGE_REQUESTED_AT: Final = f"{GROUP}/purge-requested-at"
"""Annotation of a KillRecord: it is to be purged, and was old enough by the server's clock when this was written."""

CHOSEN_GPU: Final = f"{GROUP}/gpu"
"""Annotation of the StatefulSet: the card that `gpu.type: auto` stands for, with the facts it was sized by."""

SERVING_GATE: Final = f"{GROUP}/serving"
"""Condition of a pod, and its readiness gate: only while the operator keeps it True do clients get there."""

ENGINE_PORT: Final = 8080
"""Where an engine serves, and is asked whether it is silent; TGI's own 80 needs a privilege."""

DEPLOYMENT_LABEL: Final = f"{GROUP}/deployment"
NAME_LABEL: Final = "app.kubernetes.io/name"

# A StatefulSet's name plus "-" and a 10-character hash becomes a label value of at most 63 characters.
MAX_STATEFULSET_NAME: Final = 52

# How a reference to an image ends that always means the same image; `\Z`, since `$` lets a line break pass.
DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}\Z")

# A whole name of a namespace.
NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")

DENY_SUFFIX: Final = "-deny"
ALLOW_SUFFIX: Final = "-allow"
OPERATE_SUFFIX: Final = "-operate"
HEADLESS_SUFFIX: Final = "-pods"


def child_name(deployment: str, suffix: str = "") -> str:
    """Name of a child: the deployment's name plus a fixed suffix.

    A name that would be too long is cut and ends in a hash of the whole, so that two deployments which
    share a long beginning never share a child. The limit leaves room for every suffix and for the
    StatefulSet controller's revision hash.
    """
    longest = MAX_STATEFULSET_NAME
    if len(deployment) > longest:
        digest = hashlib.sha256(deployment.encode()).hexdigest()[:8]
        deployment = f"{deployment[: longest - 9].rstrip('-')}-{digest}"
    return deployment + suffix


def child_names(deployment: str) -> frozenset[str]:
    """All names that a child may have."""
    suffixes = ("", DENY_SUFFIX, ALLOW_SUFFIX, OPERATE_SUFFIX, HEADLESS_SUFFIX)
    return frozenset(child_name(deployment, suffix) for suffix in suffixes)
