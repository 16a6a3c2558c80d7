"""A cluster that has never heard of Meditron, and somebody who types there. Every test leaves it like that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.support import Admin
from tests.ecosystem.standin import StandIn
from tests.ecosystem.traces import clean_up, traces, wait_for_wards
from tests.ecosystem.walkthrough import Reader
from tests.shares import Shares, by_file
from tests.testbed import Testbed

NODES = "A100-80GB:2:1,L4:1:3"
INSTALLATION = ("/test_walkthroughs.py", "/test_lifecycle.py")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shares:
    return Shares(config, log, _share)


def _share(test: str) -> str:
    """Argo CD's cluster is one worker's, and that of whoever installs by hand another's."""
    if "/argocd/" in test:
        return "argocd"
    return "installation" if any(word in test for word in INSTALLATION) else by_file(test)


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    with Testbed.start(tmp_path_factory.mktemp("bed"), nodes=NODES, guards=2, progress=print) as bed:
        yield bed


@pytest.fixture(scope="session")
def admin(bed: Testbed) -> Admin:
    return Admin(bed.kubeconfig)


@pytest.fixture
def standin(bed: Testbed, admin: Admin) -> Iterator[StandIn]:
    """Nothing of us is there before, nor after, whatever became of the test."""
    standin = StandIn(bed, admin)
    yield standin
    standin.end()
    clean_up(admin)


@pytest.fixture
def reader(bed: Testbed, tmp_path: Path, standin: StandIn, admin: Admin) -> Reader:
    wait_for_wards(admin)
    assert traces(admin) == []
    return Reader(bed.kubeconfig, tmp_path)
