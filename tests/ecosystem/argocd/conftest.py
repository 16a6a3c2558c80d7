"""One cluster with the real Argo CD, which installs the operator there as docs/gitops.md says."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster.support import Admin, Audit, create_all, weights_volume
from tests.ecosystem.argocd.argo import DEFAULT_PROJECT, Argo, Repository
from tests.ecosystem.standin import StandIn
from tests.ecosystem.walkthrough import Reader, Step, section
from tests.testbed import Testbed
from tests.testbed.argocd import install
from tests.testbed.layout import REPOSITORY

NODES = "L4:1:14"
DOCUMENT = REPOSITORY / "docs" / "gitops.md"
WARD = "clinical-ai"
CLAIM = "meditron-weights"
OPERATOR = "meditron-operator"


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    with Testbed.start(tmp_path_factory.mktemp("argocd"), nodes=NODES, guards=2, progress=print) as bed:
        install.start(bed, print)
        bed.apply([DEFAULT_PROJECT])
        yield bed


@pytest.fixture(scope="session")
def admin(bed: Testbed) -> Admin:
    return Admin(bed.kubeconfig)


@pytest.fixture(scope="session")
def audit(bed: Testbed) -> Audit:
    return Audit(bed.audit_log)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository.create(tmp_path_factory.mktemp("git"))


@pytest.fixture(scope="session")
def argo(bed: Testbed, admin: Admin, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Argo:
    """Argo CD, once it has installed the operator and serves a model, all as the document says."""
    reader = Reader(bed.kubeconfig, tmp_path_factory.mktemp("reader"))
    (reader.home / "state").write_text(f"export GITOPS={repository.clone} GITOPS_URL={repository.url}\n")
    nodes = _Nodes(admin, StandIn(bed, admin))
    reader.follow(section(DOCUMENT.read_text(), "## Install with Argo CD"), nodes.after)
    return Argo(admin)


@dataclass(frozen=True, slots=True)
class _Nodes:
    """What simulated nodes don't do: they run no operator, and keep no weights."""

    admin: Admin
    programs: StandIn

    def after(self, _: Step) -> None:
        """Once the model's namespace is there, so is the operator's installation."""
        if self.admin.get("Namespace", None, WARD) is None:
            return
        if self.admin.get("PersistentVolumeClaim", WARD, CLAIM) is None:
            create_all(self.admin, weights_volume(WARD, CLAIM))
        self.programs.keep_up()
