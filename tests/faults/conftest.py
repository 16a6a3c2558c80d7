"""One cluster for all fault tests, and before it the proxy. Each test starts the operators that it needs."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.support import Admin
from tests.cluster.wards import shared_ward
from tests.faults.operators import Operator, Start, running
from tests.faults.proxy import FaultProxy
from tests.shares import Shares, by_file
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE, SERVICE_ACCOUNT

NODES: Final = "L4:16:1"

_numbers = itertools.count()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shares:
    return Shares(config, log, by_file)  # all crashes are made once, for every test of theirs


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-faults", action="store_true", help="write the table of docs/faults.md from this run")


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    directory: Path = tmp_path_factory.mktemp("bed")
    with Testbed.start(directory, nodes=NODES, operator=True, progress=print) as bed:
        bed.stop("operator")
        yield bed


@pytest.fixture(scope="session")
def admin(bed: Testbed) -> Admin:
    return Admin(bed.kubeconfig)


@pytest.fixture(scope="session")
def rights(bed: Testbed) -> Path:
    """A kubeconfig of the operator's service account."""
    return bed.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)


@pytest.fixture(scope="session")
def proxy(bed: Testbed) -> Iterator[FaultProxy]:
    with FaultProxy.in_front_of(bed.kubeconfig) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def start(proxy: FaultProxy, rights: Path, bed: Testbed) -> Start:
    """How an operator behind the proxy is started."""
    return Start(kubeconfig=proxy.kubeconfig(rights), log=bed.logs / "operator-behind-proxy.log")


@pytest.fixture
def operator(start: Start) -> Iterator[Operator]:
    """An operator behind the proxy, which must not have stumbled over anything by the end of the test."""
    known = len(Operator(start).crashes())
    with running(start) as one:
        yield one
    assert one.crashes()[known:] == []


@pytest.fixture
def ward(admin: Admin) -> Iterator[str]:
    with shared_ward(admin, f"faults-{next(_numbers)}") as name:
        yield name
