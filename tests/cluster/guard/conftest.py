"""A testbed with the operator and two guards; tests stop what they want to do without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.support import Admin, Audit
from tests.testbed import Testbed

NODES = "A100-80GB:8:1,L4:1:4"


@pytest.fixture(scope="package")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    directory: Path = tmp_path_factory.mktemp("guarded")
    with Testbed.start(directory, nodes=NODES, operator=True, guards=2, progress=print) as bed:
        bed.stop("guard-2")
        yield bed


@pytest.fixture(scope="package")
def admin(bed: Testbed) -> Admin:
    return Admin(bed.kubeconfig)


@pytest.fixture(scope="package")
def audit(bed: Testbed) -> Audit:
    return Audit(bed.audit_log)
