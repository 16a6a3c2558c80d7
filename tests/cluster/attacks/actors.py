"""Who attacks: one person for each role that is shipped, the cluster's own accounts, and people with more rights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.cluster.support import OPERATOR_USER, Manifest

ROLES: Final = ("stopper", "releaser", "release-approver", "configurer", "viewer", "auditor")


@dataclass(frozen=True, slots=True)
class Actor:
    """A user of the cluster and the ClusterRoles that it holds everywhere."""

    name: str
    user: str
    roles: tuple[str, ...] = ()
    person: bool = True  # has a certificate of its own; the others are played by impersonation


def _controller(name: str) -> Actor:
    return Actor(name, f"system:serviceaccount:kube-system:{name}", person=False)


ACTORS: Final[Mapping[str, Actor]] = {
    actor.name: actor
    for actor in (
        *(Actor(f"meditron-{role}", role, (f"meditron-{role}",)) for role in ROLES),
        Actor("both release roles", "soloist", ("meditron-releaser", "meditron-release-approver")),
        Actor("edit", "editor", ("edit",)),
        Actor("admin", "head", ("admin",)),
        Actor("cluster-admin", "root", ("cluster-admin",)),
        Actor("GitOps account", "system:serviceaccount:default:gitops", ("cluster-admin",), person=False),
        Actor("operator", OPERATOR_USER, person=False),
        _controller("generic-garbage-collector"),
        _controller("namespace-controller"),
        _controller("statefulset-controller"),
    )
}


def bindings() -> list[Manifest]:
    """What gives the actors their roles."""
    return [binding(actor, role) for actor in ACTORS.values() for role in actor.roles]


def binding(actor: Actor, role: str) -> Manifest:
    """Gives one actor one role, everywhere."""
    rbac = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"attacks-{actor.user.rpartition(':')[2]}-{role}"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "apiGroup": rbac, "name": actor.user}],
    }
