"""The operator's image, built without Docker: it has what the operator needs and no more. test_serving.py runs it."""

import pytest

from tests.cluster.support import Admin
from tests.node.conftest import Ground
from tests.node.pods import log, pod, wait_ended
from tests.testbed import Testbed

pytestmark = pytest.mark.node


@pytest.fixture
def bed(bridge_bed: Testbed) -> Testbed:
    return bridge_bed


def test_the_image_has_what_the_operator_needs_and_no_second_client(admin: Admin, ward: str, ground: Ground) -> None:
    manifest = pod(ward, "look", ground.operator_image)
    script = (
        "import importlib.util as find, meditron_operator, kubernetes, kopf\n"
        "print([bool(find.find_spec(name)) for name in ('kubernetes_asyncio', 'pytest', 'pip')])"
    )
    manifest["spec"]["containers"][0]["command"] = ["/usr/bin/python3", "-c", script]
    admin.create(manifest)
    wait_ended(admin, ward, "look")
    assert log(admin, ward, "look") == "[False, False, False]\n"
