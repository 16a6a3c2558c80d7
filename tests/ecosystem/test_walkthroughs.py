"""docs/install.md, typed as it stands there."""

from typing import Final

import pytest

from tests.cluster.support import Admin
from tests.ecosystem.standin import StandIn
from tests.ecosystem.traces import traces
from tests.ecosystem.walkthrough import Reader, section
from tests.testbed.layout import REPOSITORY

pytestmark = pytest.mark.cluster

DOCUMENT: Final = (REPOSITORY / "docs" / "install.md").read_text(encoding="utf-8")
WAYS: Final = {
    "Helm": (
        "## With Helm",
        "## Check it",
        "## A first model",
        "## Upgrade",
        "### First the records",
        "### The operator, with Helm",
    ),
    "kubectl": (
        "## With kubectl",
        "## Check it",
        "## A first model",
        "### First the records",
        "### The operator, with kubectl",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_from_nothing_to_a_model_and_back(way: str, reader: Reader, admin: Admin, standin: StandIn) -> None:
    for heading in (*WAYS[way], "### What is left"):
        reader.follow(section(DOCUMENT, heading), after=lambda _: standin.keep_up())

    assert traces(admin) == []
    assert admin.get("PersistentVolumeClaim", "clinical-ai", "meditron-weights") is not None
    assert admin.get("PersistentVolume", None, "meditron-weights") is not None
