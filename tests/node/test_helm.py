"""`helm test`, with the real Helm, of an operator that runs in a real pod."""

from collections.abc import Callable

import pytest

from tests.cluster.support import Admin
from tests.node.conftest import Ground
from tests.node.timings import measured
from tests.testbed import Testbed
from tests.testbed.helm import helm
from tests.testbed.install import NAMESPACE

pytestmark = pytest.mark.node


def test_helm_test_passes_and_leaves_nothing(cilium_bed: Testbed, prepare: Callable[[Testbed], Ground]) -> None:
    """In a namespace that enforces `restricted`, through the network policies of the chart."""
    prepare(cilium_bed)
    with measured("helm test"):
        said = helm(cilium_bed, "test", "meditron-operator", "--timeout", "90s")
    assert "Succeeded" in said
    admin = Admin(cilium_bed.kubeconfig)
    left = [
        body["metadata"]["name"]
        for kind in ("Pod", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy")
        for body in admin.list(kind, NAMESPACE)
    ]
    assert "meditron-test" not in left
