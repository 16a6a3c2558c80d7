"""A cluster with room for everybody, and in it the operator and two namespaces for each lane."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.support import Admin, Audit, create_all, weights_volume
from tests.faults.operators import Operator, Start, running
from tests.testbed import Testbed
from tests.testbed.install import NAMESPACE, SERVICE_ACCOUNT

NODES: Final = "L4:8:150,A100-80GB:8:60,RTX-4090:8:60"
"""Enough that no lane waits for the GPUs of another. Most are on L4, spread over the nodes, and a replica that takes
all eight GPUs of a node must find an empty one: else auto takes another card for the fresh one."""
OPERATIONS: Final = 300


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--operations", type=int, default=OPERATIONS, help=f"how many changes are tried ({OPERATIONS})")


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
def audit(bed: Testbed) -> Audit:
    return Audit(bed.audit_log)


@pytest.fixture(scope="session")
def operator(bed: Testbed) -> Iterator[Operator]:
    rights = bed.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
    with running(Start(kubeconfig=rights, log=bed.logs / "operator-in-campaign.log")) as one:
        yield one


def namespaces(admin: Admin, names: list[str]) -> None:
    """With weights in each. They go with the cluster."""
    for name in names:
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        create_all(admin, weights_volume(name))
