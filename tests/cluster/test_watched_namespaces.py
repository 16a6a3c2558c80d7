"""`watch.namespaces`: the real Helm gives the operator two namespaces, and it neither has nor asks for more."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from meditron_operator import names
from tests.chart.render import CHART, NAMESPACE, PLACEHOLDER_IMAGE, template
from tests.cluster.guard.told import engaged, wait_down
from tests.cluster.people import engage, release, resume
from tests.cluster.support import Admin, Audit, Request, create_all, deployment, touch, weights_volume
from tests.testbed import Testbed
from tests.testbed.helm import helm

pytestmark = pytest.mark.cluster

SERVED: Final = ("served", "served-too")
ELSEWHERE: Final = "elsewhere"
IMAGE: Final = ("--set", f"image.reference={PLACEHOLDER_IMAGE}")
NARROW: Final = ("--set", f"watch.namespaces={{{','.join(SERVED)}}}")


@pytest.fixture(scope="module")
def wide_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """Operator and a guard for the whole cluster, by Helm; a deployment serves in one of three namespaces."""
    with Testbed.start(tmp_path_factory.mktemp("narrow"), nodes="L4:1:4", guards=1) as bed:
        helm(bed, "install", "meditron-operator", str(CHART), *IMAGE, "--create-namespace")
        bed.wait_admitting()
        bed.run_installed({}, guards=1)
        admin = Admin(bed.kubeconfig)
        for namespace in (*SERVED, ELSEWHERE):
            admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            create_all(admin, weights_volume(namespace))
        admin.create(deployment("earlier", ELSEWHERE))
        admin.wait_settled(ELSEWHERE, "earlier", "Ready")
        yield bed


@pytest.fixture(scope="module")
def narrow_bed(wide_bed: Testbed) -> Testbed:
    """The same, upgraded to two namespaces."""
    helm(wide_bed, "upgrade", "meditron-operator", str(CHART), *IMAGE, *NARROW)
    wide_bed.stop("operator")
    wide_bed.run_installed(environment(Admin(wide_bed.kubeconfig)))
    return wide_bed


@pytest.fixture
def admin(narrow_bed: Testbed) -> Admin:
    return Admin(narrow_bed.kubeconfig)


def environment(admin: Admin) -> dict[str, str]:
    """What the operator's container is told, but for what its pod alone knows."""
    installed = admin.get("Deployment", NAMESPACE, names.OPERATOR_NAME)
    assert installed is not None
    (container,) = installed["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    return {name: value for name, value in told.items() if name == "MEDITRON_WATCH_NAMESPACES"}


def test_two_namespaces_are_served_and_the_third_is_left_alone(narrow_bed: Testbed, admin: Admin) -> None:
    audit = Audit(narrow_bed.audit_log)
    narrow_bed.stop("operator")
    mark = audit.mark()
    narrow_bed.start_program("operator")
    admin.create(deployment("late", ELSEWHERE))
    admin.patch("MeditronDeployment", ELSEWHERE, "earlier", {"spec": {"replicas": 2}})
    for namespace in SERVED:
        admin.create(deployment("notes", namespace))
    for namespace in SERVED:
        admin.wait_settled(namespace, "notes", "Ready")

    late = admin.get("MeditronDeployment", ELSEWHERE, "late")
    assert late is not None
    assert "status" not in late
    workloads = {body["metadata"]["name"]: body["spec"]["replicas"] for body in admin.list("StatefulSet", ELSEWHERE)}
    assert workloads == {"earlier": 1}  # it goes on serving as it was
    requests = [request for request in audit.since(mark) if request.resource]
    assert [request for request in requests if request.code == 403] == []
    assert {request.namespace for request in requests if request.resource != "namespaces"} == {"", NAMESPACE, *SERVED}
    assert used(requests, *SERVED) <= granted("Role", f"{names.OPERATOR_NAME}-serving")
    assert used(requests, NAMESPACE) == {("leases", verb) for verb in ("get", "update")}
    assert used(requests, "") == granted("ClusterRole", names.OPERATOR_NAME)
    assert {each.name for each in requests if each.resource == "namespaces"} == {NAMESPACE, *SERVED}


def used(requests: list[Request], *namespaces: str) -> set[tuple[str, str]]:
    """(resource, verb) of what was asked for there; Namespaces are in none."""
    return {
        (each.resource, each.verb)
        for each in requests
        if ("" if each.resource == "namespaces" else each.namespace) in namespaces
    }


def granted(kind: str, name: str) -> set[tuple[str, str]]:
    """(resource, verb) of the roles of that name."""
    roles: list[dict[str, Any]] = [
        body
        for body in yaml.safe_load_all(template(*NARROW))
        if body and (body["kind"], body["metadata"]["name"]) == (kind, name)
    ]
    rules = [rule for role in roles for rule in role["rules"]]
    return {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


@pytest.mark.guarantee("G3")
def test_a_stop_reaches_what_the_operator_served_before(admin: Admin) -> None:
    """The kill switch is no narrower than what may run."""
    engage(admin, ELSEWHERE, "earlier")
    engaged(admin, ELSEWHERE, "earlier")
    wait_down(admin, ELSEWHERE, "earlier")
    assert admin.get("NetworkPolicy", ELSEWHERE, "earlier-deny") is not None


def test_the_operator_knows_the_switch_of_a_namespace_that_it_serves(admin: Admin) -> None:
    """Namespaces are asked for by their names, and nothing else of the cluster is seen."""
    namespace = SERVED[1]
    engage(admin, None, namespace, kind="Namespace")
    admin.wait_phase(namespace, "notes", "Stopped")
    release(admin, None, namespace, kind="Namespace")
    resume(admin, None, namespace, kind="Namespace")
    admin.wait_settled(namespace, "notes", "Ready")


def test_a_namespace_that_it_may_not_look_at_holds_up_no_other(narrow_bed: Testbed, admin: Admin) -> None:
    """Somebody deleted the one, and with it the operator's rights there."""
    kept, gone = SERVED
    admin.delete("RoleBinding", gone, f"{names.OPERATOR_NAME}-serving")
    narrow_bed.stop("operator")
    narrow_bed.start_program("operator")
    touch(admin, kept, "notes")
    admin.patch("MeditronDeployment", kept, "notes", {"spec": {"replicas": 0}})
    admin.wait_settled(kept, "notes", "Idle")
    assert narrow_bed.operator_health_url is not None
    with urllib.request.urlopen(narrow_bed.operator_health_url, timeout=5) as answer:  # noqa: S310 - loopback
        assert json.load(answer)["complaints"] == []
