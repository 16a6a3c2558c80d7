"""One testbed with the operator for all cluster tests; each test has a namespace of its own."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.people import let_go
from tests.cluster.persons import ROLES, People, binding, person
from tests.cluster.support import Admin, Audit, create_all, deployment, weights_volume
from tests.shares import Shares, by_file
from tests.testbed import Testbed

NODES = "A100-80GB:8:2,A100-40GB:4:2,RTX-4090:2:2,L4:1:3"

_numbers = itertools.count()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shares:
    return Shares(config, log, _share)


def _share(test: str) -> str:
    """By files; the tests with guards have a cluster of their own, which one worker is to start."""
    return "guard" if "/guard/" in test else by_file(test)


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    directory: Path = tmp_path_factory.mktemp("bed")
    with Testbed.start(directory, nodes=NODES, operator=True, progress=print) as bed:
        yield bed


@pytest.fixture(scope="session")
def admin(bed: Testbed) -> Admin:
    return Admin(bed.kubeconfig)


@pytest.fixture(scope="session")
def audit(bed: Testbed) -> Audit:
    return Audit(bed.audit_log)


@pytest.fixture
def namespace(admin: Admin) -> Iterator[str]:
    """A fresh namespace with a claim `weights`, where Pod Security `restricted` is enforced."""
    name = f"ward-{next(_numbers)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    create_all(admin, weights_volume(name))
    yield name
    let_go(admin, name)
    for pod in admin.list("Pod", name):
        admin.wait_gone("Pod", name, pod["metadata"]["name"], 60)  # the next test wants its GPUs
    admin.delete("Namespace", None, name)
    admin.delete("PersistentVolume", None, f"{name}-weights")


@pytest.fixture
def restarting(bed: Testbed) -> Iterator[None]:
    """For tests that restart the API server: the next test finds it as it was."""
    yield
    bed.wait_admitting()


@pytest.fixture
def notes(admin: Admin, namespace: str) -> str:
    """A deployment that serves."""
    admin.create(deployment("notes", namespace))
    admin.wait_settled(namespace, "notes", "Ready")
    return "notes"


@pytest.fixture
def people(bed: Testbed, admin: Admin, namespace: str, tmp_path: Path) -> People:
    """Who holds a role holds it in the test's namespace only; `root` may do all, `nobody` nothing."""
    for user, role in ROLES.items():
        admin.create(binding("RoleBinding", user, role, namespace))
    return lambda user: person(user, bed.kubeconfig, namespace, tmp_path)
