"""One node with the bridge plugin and one with Cilium for all tests; each test has a namespace of its own."""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.support import Admin, create_all
from tests.node.engine import engine_ward, write_weights
from tests.node.pods import PROBE, namespace
from tests.node.timings import LINES, measured
from tests.shares import Shares
from tests.testbed import Testbed
from tests.testbed.node import requirements
from tests.testbed.node.incluster import install_operator, load_engine
from tests.testbed.node.options import NodeOptions

CARDS = "A100-80GB:16"
WITH_NODES_OF_THEIR_OWN = ("/test_leftovers.py", "/test_start.py")
WITH_CILIUM = ("cilium]", "/isolation/", "/test_policies.py", "/test_helm.py", "test_the_operator_reaches_no_other_pod")

_numbers = itertools.count()


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shares:
    return Shares(config, log, _share)


def _share(test: str) -> str:
    """By the node that a test needs: two workers have one each. A mistake here costs time, since each may have both."""
    if any(word in test for word in WITH_NODES_OF_THEIR_OWN):
        return test
    return "cilium" if any(word in test for word in WITH_CILIUM) else "bridge"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells its times to whoever started it."""
    told: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["timings"] = LINES


def pytest_testnodedown(node: Any) -> None:
    LINES.extend(getattr(node, "workeroutput", {}).get("timings", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in LINES:
        terminalreporter.line(line)


@pytest.fixture(scope="session", autouse=True)
def able() -> None:
    """Skip where a node can't run. That is a failure where one must be able to."""
    if missing := requirements.lacking(cilium=True):
        reason = f"no real node can run here; missing: {'; '.join(missing)}"
        if os.environ.get("MEDITRON_REQUIRE_NODE"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Callable[[NodeOptions], Testbed]:
    """Starts a testbed with no nodes but a real one."""

    def start(options: NodeOptions) -> Testbed:
        directory: Path = tmp_path_factory.mktemp("bed")
        with measured(f"from nothing to a Ready node with {'Cilium' if options.cilium else 'the bridge plugin'}"):
            return Testbed.start(directory, nodes="", progress=print, node=options)

    return start


@pytest.fixture(scope="session")
def bridge_bed(start: Callable[[NodeOptions], Testbed]) -> Iterator[Testbed]:
    with start(NodeOptions(gpus=CARDS)) as bed:
        yield bed


@pytest.fixture(scope="session")
def cilium_bed(start: Callable[[NodeOptions], Testbed]) -> Iterator[Testbed]:
    with start(NodeOptions(gpus=CARDS, cilium=True)) as bed:
        yield bed


@pytest.fixture(scope="session", params=["bridge", "cilium"])
def bed(request: pytest.FixtureRequest) -> Testbed:
    """One after the other."""
    found = request.getfixturevalue(f"{request.param}_bed")
    assert isinstance(found, Testbed)
    return found


@pytest.fixture(scope="session")
def probe_images() -> dict[Path, str]:
    """What was loaded into which testbed."""
    return {}


@pytest.fixture
def probe(bed: Testbed, probe_images: dict[Path, str], tmp_path: Path) -> str:
    """The probe image's name in this testbed."""
    if bed.directory not in probe_images:
        assert bed.node is not None
        probe_images[bed.directory] = bed.node.load(PROBE.build(tmp_path, print))
    return probe_images[bed.directory]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a testbed needs to serve models."""

    operator_image: str
    engine_image: str
    weights: Path


@pytest.fixture(scope="session")
def prepare() -> Callable[[Testbed], Ground]:
    """Installs the operator and puts the engine's image and weights in place, once in each testbed."""
    grounds: dict[Path, Ground] = {}

    def prepare(bed: Testbed) -> Ground:
        if bed.directory not in grounds:
            with measured("from a Ready node to a Ready operator, by Helm; both images built and loaded"):
                operator_image = install_operator(bed, print)
                engine_image = load_engine(bed, print)
            grounds[bed.directory] = Ground(operator_image, engine_image, write_weights(bed.directory))
        return grounds[bed.directory]

    return prepare


@pytest.fixture
def ground(bed: Testbed, prepare: Callable[[Testbed], Ground]) -> Ground:
    return prepare(bed)


@pytest.fixture
def clinic(admin: Admin, ground: Ground) -> Iterator[str]:
    """A fresh namespace with weights in it."""
    with engine_ward(admin, f"clinic-{next(_numbers)}", ground.weights) as name:
        yield name


@pytest.fixture
def admin(bed: Testbed) -> Admin:
    return Admin(bed.kubeconfig)


@pytest.fixture
def ward(admin: Admin) -> Iterator[str]:
    """A fresh namespace where Pod Security `restricted` is enforced."""
    name = f"ward-{next(_numbers)}"
    create_all(admin, [namespace(name)])
    yield name
    admin.delete("Namespace", None, name)
