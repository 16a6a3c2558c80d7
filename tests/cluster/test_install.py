"""The real Helm installs the chart; uninstalling it in any order hangs nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from kubernetes.dynamic.exceptions import ForbiddenError

from meditron_operator import names
from tests.chart.render import CHART, NAMESPACE, PLACEHOLDER_IMAGE, template
from tests.cluster.people import engage
from tests.cluster.support import Admin, Manifest, create_all, deployment, weights_volume
from tests.testbed import Testbed
from tests.testbed.helm import helm
from tests.testbed.waiting import wait_for
from tests.unit.cli.running import process

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def empty_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """A cluster that has never heard of Meditron."""
    with Testbed.start(tmp_path_factory.mktemp("empty"), nodes="L4:1:1") as bed:
        yield bed


@pytest.fixture
def fresh_bed(tmp_path: Path) -> Iterator[Testbed]:
    """Another one, in which no policy of an earlier installation is remembered for some moments."""
    with Testbed.start(tmp_path / "bed", nodes="L4:1:1") as bed:
        yield bed


def test_install_and_uninstall(empty_bed: Testbed) -> None:
    image = f"image.reference={PLACEHOLDER_IMAGE}"
    said = helm(empty_bed, "install", "meditron-operator", str(CHART), "--create-namespace", "--set", image)
    assert "kubectl get md -A" in said

    admin = Admin(empty_bed.kubeconfig)
    installed = admin.wait("Deployment", NAMESPACE, "meditron-operator", lambda body: body is not None)
    assert installed is not None
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ward"}})
    admin.create(deployment("notes", "ward"))

    helm(empty_bed, "uninstall", "meditron-operator")

    admin.wait_gone("Deployment", NAMESPACE, "meditron-operator")
    assert admin.get("ClusterRole", None, "meditron-operator") is None
    assert admin.get("MeditronDeployment", "ward", "notes") is not None  # Helm leaves CRDs and what is in them
    wait_for("the policies to be forgotten", lambda: deleted(admin, "meditrondeployments.meditron.ai"), 30)
    admin.wait_gone("CustomResourceDefinition", None, "meditrondeployments.meditron.ai")
    for name in ("ward", NAMESPACE):
        admin.delete("Namespace", None, name)
        admin.wait_gone("Namespace", None, name, 60)


def deleted(admin: Admin, definition: str) -> bool:
    """Whether it could be deleted: the server knows about a second late that the policy against it is gone."""
    try:
        admin.delete("CustomResourceDefinition", None, definition)
    except ForbiddenError:
        return False
    return True


@pytest.mark.guarantee("G5")
def test_an_upgrade_and_a_rollback_while_it_is_engaged(fresh_bed: Testbed) -> None:
    """The policies stand all the while: what they must refuse is tried all the while."""
    admin, chart = Admin(fresh_bed.kubeconfig), (str(CHART), "--set", f"image.reference={PLACEHOLDER_IMAGE}")
    helm(fresh_bed, "install", "meditron-operator", *chart, "--create-namespace")
    fresh_bed.wait_admitting()
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ward"}})
    admin.create(deployment("notes", "ward"))
    engage(admin, "ward", "notes")

    changed = ("--set", "admission.recordRetentionDays=3000", "--set", "guard.replicas=3")
    with trying(fresh_bed, "ward", "notes") as tried:
        helm(fresh_bed, "upgrade", "meditron-operator", *chart, *changed)
        helm(fresh_bed, "upgrade", "meditron-operator", *chart, "--set", "guard.enabled=false", "--server-side=false")
        helm(fresh_bed, "rollback", "meditron-operator", "1")
    assert tried.let_through == []
    assert tried.refused > 20


def test_the_bundle_is_accepted_as_it_is(empty_bed: Testbed, bundle: Path) -> None:
    admin = Admin(empty_bed.kubeconfig)
    empty_bed.apply(bundle)
    assert admin.get("Deployment", NAMESPACE, "meditron-operator") is not None


def test_what_helm_tests_runs_with_no_more_than_its_own_rights(empty_bed: Testbed, bundle: Path) -> None:
    """Simulated nodes run no container: the command of its pod runs beside the cluster, as its service account."""
    empty_bed.apply(bundle)
    hooks = [body for body in yaml.safe_load_all(template(tests=True)) if is_hook(body)]
    empty_bed.apply(body for body in hooks if body["kind"] != "Pod")
    (pod,) = (body for body in hooks if body["kind"] == "Pod")
    (container,) = pod["spec"]["containers"]
    account = empty_bed.service_account_kubeconfig(NAMESPACE, pod["spec"]["serviceAccountName"])
    surroundings = {"KUBECONFIG": str(account), "MEDITRON_NAMESPACE": NAMESPACE}

    passed = process(*container["args"], **surroundings)
    assert (passed.code, passed.err) == (0, "")
    assert [line.split()[0] for line in passed.out.splitlines()] == ["ok"] * 4
    assert "2 of 2 ready" in passed.out
    assert "records of the kill switch are written by the guard alone" in passed.out

    admin = Admin(empty_bed.kubeconfig)
    admin.delete("ValidatingAdmissionPolicyBinding", None, "meditron-records")
    admin.delete("Deployment", NAMESPACE, names.GUARD_NAME)

    def said() -> str:
        failed = process("check", "--timeout=0", **surroundings)
        assert failed.code == 1
        return failed.out

    wait_for("the policy to be missed", lambda: "meditron-records is not in force" in said(), 30)
    assert "NO  meditron-guard     is not installed" in said()
    assert admin.list("KillRecord", NAMESPACE) == []  # forged as a dry run

    admin.delete("Role", NAMESPACE, "meditron-test")
    wait_for("the rights to be gone", lambda: "was not put to meditron-records" in said(), 30)


def is_hook(body: Manifest | None) -> bool:
    return bool(body and "helm.sh/hook" in body["metadata"].get("annotations", {}))


@dataclass(slots=True)
class Tried:
    """What became of tries."""

    refused: int = 0
    let_through: list[str] = field(default_factory=list)


@contextmanager
def trying(bed: Testbed, namespace: str, name: str) -> Iterator[Tried]:
    """Meanwhile somebody who may do everything tries, as dry runs, what the switch must refuse."""
    tried, over, admin = Tried(), threading.Event(), Admin(bed.kubeconfig)
    labels = {"meditron.ai/deployment": name}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "by-hand", "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": PLACEHOLDER_IMAGE}]},
    }
    kind, unswitched = "MeditronDeployment", {"metadata": {"annotations": {names.KILL_SWITCH: None}}}
    attempts: dict[str, Callable[[], object]] = {
        "a pod": lambda: admin.create(pod, dry_run="All"),
        "a release by one person": lambda: admin.patch(kind, namespace, name, unswitched, dry_run="All"),
        "more replicas": lambda: admin.patch(kind, namespace, name, {"spec": {"replicas": 3}}, dry_run="All"),
    }

    def attempt(what: str) -> None:
        try:
            attempts[what]()
        except ForbiddenError:
            tried.refused += 1
        else:
            tried.let_through.append(what)

    def all_are_refused() -> bool:
        tried.refused, tried.let_through[:] = 0, []
        for what in attempts:
            attempt(what)
        return not tried.let_through

    def work() -> None:
        while not over.is_set():
            for what in attempts:
                attempt(what)

    # The API server takes a moment to apply policies that were only just installed.
    wait_for("the policies to be in force", all_are_refused, 30)
    thread = threading.Thread(target=work, name="tries")
    thread.start()
    try:
        yield tried
    finally:
        over.set()
        thread.join()


@pytest.fixture
def bundle() -> Path:
    return CHART.parents[1] / "manifests" / "install.yaml"


def test_a_namespace_ends_while_no_operator_runs(bed: Testbed, admin: Admin) -> None:
    """No finalizer: what the operator made goes without it."""
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short-lived"}})
    create_all(admin, weights_volume("short-lived"))
    admin.create(deployment("notes", "short-lived"))
    admin.wait_settled("short-lived", "notes", "Ready")
    bed.stop("operator")

    admin.delete("Namespace", None, "short-lived")

    admin.wait_gone("Namespace", None, "short-lived", 60)
    bed.start_program("operator")
    admin.delete("PersistentVolume", None, "short-lived-weights")
