"""What is left of an installation, and how to be rid of it."""

from functools import partial
from typing import Final

from kubernetes.dynamic.exceptions import ForbiddenError, NotFoundError

from meditron_operator import names
from tests.cluster.support import Admin
from tests.testbed.install import NAMESPACE
from tests.testbed.waiting import wait_for

_OURS: Final = f"{names.NAME_LABEL}={names.OPERATOR_NAME}"
_CLUSTER_KINDS: Final = (
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "MutatingAdmissionPolicy",
    "ClusterRoleBinding",
    "ClusterRole",
    "PriorityClass",
    "FlowSchema",
    "PriorityLevelConfiguration",
)
WARDS: Final = ("clinical-ai", "ward-a", "ward-b")


def traces(admin: Admin) -> list[str]:
    """Objects of the whole cluster that an installation made, as `kind/name`."""
    found = [
        f"{kind}/{item.metadata.name}"
        for kind in _CLUSTER_KINDS
        for item in admin.resource(kind).get(label_selector=_OURS).items
    ]
    definitions = admin.resource("CustomResourceDefinition").get().items
    found += [
        f"CustomResourceDefinition/{item.metadata.name}" for item in definitions if item.spec.group == names.GROUP
    ]
    return found


def clean_up(admin: Admin) -> None:
    """Whatever a test left: policies first, since they hold the rest."""
    for kind in _CLUSTER_KINDS:
        admin.resource(kind).delete(label_selector=_OURS)
    for name in (NAMESPACE, *WARDS):
        delete(admin, "Namespace", name)
    for item in admin.resource("PersistentVolume").get().items:
        delete(admin, "PersistentVolume", item.metadata.name)
    for item in admin.resource("CustomResourceDefinition").get().items:
        if item.spec.group == names.GROUP:
            wait_for(
                "the policies to be forgotten",
                partial(delete, admin, "CustomResourceDefinition", item.metadata.name),
                30,
            )


def wait_for_wards(admin: Admin) -> None:
    """Until the namespaces of an earlier test are gone."""
    for name in (NAMESPACE, *WARDS):
        admin.wait_gone("Namespace", None, name, 60)


def delete(admin: Admin, kind: str, name: str) -> bool:
    """Of the whole cluster, no matter whether it is there; False where a policy that just went still refuses it."""
    try:
        admin.delete(kind, None, name)
    except ForbiddenError:
        return False
    except NotFoundError:
        pass
    return True
