"""A cluster that has never heard of Meditron, one for each file of tests, and somebody who types there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.support import Admin
from tests.ecosystem.walkthrough import Reader
from tests.testbed import Testbed

NODES = "A100-80GB:2:1,L4:1:2"


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    with Testbed.start(tmp_path_factory.mktemp("bed"), nodes=NODES, guards=2, progress=print) as bed:
        yield bed


@pytest.fixture(scope="module")
def admin(bed: Testbed) -> Admin:
    return Admin(bed.kubeconfig)


@pytest.fixture
def reader(bed: Testbed, tmp_path: Path) -> Reader:
    return Reader(bed.kubeconfig, tmp_path)
