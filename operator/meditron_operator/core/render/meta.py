"""What every child has in common: names, labels, the owner."""

from dataclasses import dataclass
from typing import Any, Final

from kubernetes.client import V1LabelSelector, V1ObjectMeta, V1OwnerReference
from pydantic import BaseModel

from meditron_operator import names

Manifest = dict[str, Any]
"""One object in wire form, every default of the server spelled out."""

APP: Final = "meditron"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The MeditronDeployment that the children belong to."""

    name: str
    namespace: str
    uid: str


def selector_labels(deployment: str) -> dict[str, str]:
    """Labels that select exactly the pods of one deployment; they never change."""
    return {names.DEPLOYMENT_LABEL: deployment}


def labels(deployment: str) -> dict[str, str]:
    """Labels of every child and pod. Each ends up in immutable places: nothing of the user's goes in."""
    return selector_labels(deployment) | {
        names.NAME_LABEL: APP,
        "app.kubernetes.io/instance": names.child_name(deployment),
        "app.kubernetes.io/component": "engine",
        "app.kubernetes.io/managed-by": names.OPERATOR_NAME,
    }


def metadata(owner: Owner, suffix: str = "") -> V1ObjectMeta:
    """Metadata of the child `<name><suffix>`; the garbage collector deletes it with its owner.

    blockOwnerDeletion stays false: true would need the right to update the owner's finalizers on clusters
    that enforce owner reference permissions, and the children need not hold the owner back.
    """
    return V1ObjectMeta(
        name=names.child_name(owner.name, suffix),
        namespace=owner.namespace,
        labels=labels(owner.name),
        owner_references=[
            V1OwnerReference(
                api_version=names.API_VERSION,
                kind=names.KIND,
                name=owner.name,
                uid=owner.uid,
                controller=True,
                block_owner_deletion=False,
            )
        ],
    )


def pod_selector(deployment: str) -> V1LabelSelector:
    """Selects the pods of one deployment."""
    return V1LabelSelector(match_labels=selector_labels(deployment))


def manifest(model: BaseModel) -> Manifest:
    """Wire form of a typed object."""
    return model.model_dump(by_alias=True, exclude_none=True)
