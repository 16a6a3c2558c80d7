"""What each shipped role may do: the table of docs/kill-switch.md, asked of the real API server, and lived through."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes.dynamic.exceptions import DynamicApiError, UnprocessibleEntityError

from meditron_operator import names
from tests.cluster.attacks.actors import ACTORS, ROLES
from tests.cluster.attacks.run import furnish
from tests.cluster.attacks.world import moment
from tests.cluster.people import annotate, refusal
from tests.cluster.support import Admin
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE, SERVICE_ACCOUNT
from tests.testbed.waiting import wait_for

pytestmark = pytest.mark.cluster

PAGE = Path("docs/kill-switch.md").read_text(encoding="utf-8")
MEANS = {
    "look": ("meditron.ai", "meditrondeployments", "get"),
    "stop": ("meditron.ai", "meditrondeployments", "patch"),
    "request a release": ("meditron.ai", "meditrondeployments", "release"),
    "approve": ("meditron.ai", "meditrondeployments", "approve-release"),
    "resume": ("meditron.ai", "meditrondeployments", "resume"),
    "change a deployment": ("meditron.ai", "meditrondeployments", "update"),
    "delete pods": ("", "pods", "delete"),
}


def table() -> dict[str, dict[str, bool]]:
    """Role -> column -> whether the page says that it may."""
    (head,) = re.findall(r"^\| ClusterRole \|(.*)\|$", PAGE, flags=re.MULTILINE)
    columns = [word.strip() for word in head.split("|")]
    rows = re.findall(r"^\| `meditron-([a-z-]+)` \|(.*)\|$", PAGE, flags=re.MULTILINE)
    return {
        role: {
            column: not cell.strip().startswith("no")
            for column, cell in zip(columns, cells.split("|"), strict=True)
            if column in MEANS
        }
        for role, cells in rows
    }


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """A bed where each role has somebody who holds it."""
    with Testbed.start(tmp_path_factory.mktemp("staffed"), nodes="L4:1:1") as bed:
        furnish(bed)
        admin = Admin(bed.kubeconfig)
        wait_for("the policies to be in force", lambda: in_force(admin), 30)
        yield bed


def in_force(admin: Admin) -> bool:
    """Whether a stop is stamped and a typo refused by now, at a deployment and at a namespace."""
    carriers = (("MeditronDeployment", "scope-cluster", "ward"), ("Namespace", None, NAMESPACE))
    return all(_stamps_and_refuses(admin, *carrier) for carrier in carriers)


def _stamps_and_refuses(admin: Admin, kind: str, namespace: str | None, name: str) -> bool:
    stop, typo = ({"metadata": {"annotations": {names.KILL_SWITCH: value}}} for value in ("halt", "typo"))
    try:
        answer = admin.patch(kind, namespace, name, stop, dry_run="All")
        admin.patch(kind, namespace, name, typo, dry_run="All")
    except UnprocessibleEntityError:
        return names.KILLED_BY in answer["metadata"]["annotations"]
    except DynamicApiError as failed:
        if failed.status != 503:  # the kind of the policies' parameters is seconds old
            raise
    return False


def allowed(admin: Admin, user: str, group: str, resource: str, verb: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": user,
            "resourceAttributes": {"group": group, "resource": resource, "verb": verb, "namespace": "ward"},
        },
    }
    return bool(admin.create(review)["status"]["allowed"])


def test_the_table_of_the_page_is_true(staffed: Testbed) -> None:
    admin = Admin(staffed.kubeconfig)
    said = table()
    assert set(said) == set(ROLES)
    for role, columns in said.items():
        user = ACTORS[f"meditron-{role}"].user
        assert set(columns) == set(MEANS)
        assert {column: allowed(admin, user, *MEANS[column]) for column in MEANS} == columns, role


@pytest.mark.guarantee("G15")
def test_the_operator_holds_no_verb_of_a_release(staffed: Testbed) -> None:
    user = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
    admin = Admin(staffed.kubeconfig)
    for verb in ("switch", "release", "approve-release", "resume", "patch", "update"):
        assert not allowed(admin, user, "meditron.ai", "meditrondeployments", verb)


@pytest.mark.parametrize(("kind", "namespace", "name"), [
    ("MeditronDeployment", "scope-cluster", "ward"),
    ("Namespace", None, "scope-running"),
    ("Namespace", None, NAMESPACE),
])  # fmt: skip
@pytest.mark.guarantee("G7")
def test_a_stop_and_a_release_with_nothing_but_the_roles(
    staffed: Testbed, kind: str, namespace: str | None, name: str
) -> None:
    stopper, releaser, approver = (
        Admin(staffed.user_kubeconfig(role)) for role in ("stopper", "releaser", "release-approver")
    )

    engaged = annotate(stopper, kind, namespace, name, kill_switch="halt", kill_reason="wrong dose")
    assert engaged["metadata"]["annotations"]["meditron.ai/killed-by"] == "stopper"
    asked = {"release_requested_by": "releaser", "release_requested_at": moment()}
    annotate(releaser, kind, namespace, name, **asked)
    gone = dict.fromkeys(("kill_switch", "kill_reason", "killed_by"))
    annotate(approver, kind, namespace, name, release_approved_by="release-approver", **gone)
    resumed = annotate(releaser, kind, namespace, name, resume="releaser")

    assert "meditron.ai/kill-switch" not in resumed["metadata"]["annotations"]
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    for person in (stopper, releaser, approver):
        assert "annotations of meditron.ai and nothing else" in refusal(person, kind, namespace, name, labels)


def test_the_policies_are_well_typed(staffed: Testbed) -> None:
    """The server checks the expressions against its own types, and says so in the status."""
    admin = Admin(staffed.kubeconfig)
    found = admin.resource("ValidatingAdmissionPolicy").get().to_dict()["items"]
    assert len(found) >= 10
    for policy in found:
        name = policy["metadata"]["name"]
        checked = admin.wait("ValidatingAdmissionPolicy", None, name, lambda body: bool(body and body.get("status")))
        assert checked is not None
        assert checked["status"].get("typeChecking", {}).get("expressionWarnings", []) == [], name


def test_a_role_binding_reaches_its_namespace_and_no_further(staffed: Testbed) -> None:
    rbac = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "local", "namespace": "scope-resumed"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "meditron-stopper"},
        "subjects": [{"kind": "User", "apiGroup": rbac, "name": "local"}],
    }
    Admin(staffed.kubeconfig).create(binding)
    local = Admin(staffed.user_kubeconfig("local"))
    stop = {"metadata": {"annotations": {"meditron.ai/kill-switch": "halt"}}}

    for namespace in ("scope-released", NAMESPACE):
        assert "cannot patch resource" in refusal(local, "Namespace", None, namespace, stop)
    engaged = local.patch("Namespace", None, "scope-resumed", stop)

    assert engaged["metadata"]["annotations"]["meditron.ai/killed-by"] == "local"
