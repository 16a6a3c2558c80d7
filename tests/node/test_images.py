"""The operator's image, built without Docker: it starts as restricted pods start, and runs the operator."""

import pytest

from tests.cluster.support import Admin, condition
from tests.node.pods import log, pod, wait_ended
from tests.node.timings import measured
from tests.testbed import Testbed
from tests.testbed.cluster import read_manifests
from tests.testbed.install import BUNDLE, DEFINITIONS, NAMESPACE
from tests.testbed.node import images

pytestmark = pytest.mark.node

START_SECONDS = 90


@pytest.fixture
def bed(bridge_bed: Testbed) -> Testbed:
    return bridge_bed


@pytest.fixture(scope="session")
def operator_image(bridge_bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> str:
    assert bridge_bed.node is not None
    return bridge_bed.node.load(images.operator(tmp_path_factory.mktemp("operator"), print))


def test_the_image_has_what_the_operator_needs_and_no_second_client(
    admin: Admin, ward: str, operator_image: str
) -> None:
    manifest = pod(ward, "look", operator_image)
    script = (
        "import importlib.util as find, meditron_operator, kubernetes, kopf\n"
        "print([bool(find.find_spec(name)) for name in ('kubernetes_asyncio', 'pytest', 'pip')])"
    )
    manifest["spec"]["containers"][0]["command"] = ["/usr/bin/python3", "-c", script]
    admin.create(manifest)
    wait_ended(admin, ward, "look")
    assert log(admin, ward, "look") == "[False, False, False]\n"


def test_the_operator_runs_from_its_image(bed: Testbed, admin: Admin, operator_image: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    bundle = read_manifests(BUNDLE)
    for manifest in bundle:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["template"]["spec"]["containers"][0]["image"] = operator_image
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    with measured("from the bundle to the operator's pod being available"):
        bed.apply([space, *read_manifests(DEFINITIONS), *bundle])
        admin.wait(
            "Deployment",
            NAMESPACE,
            "meditron-operator",
            lambda body: bool(body and condition(body, "Available").get("status") == "True"),
            START_SECONDS,
        )
