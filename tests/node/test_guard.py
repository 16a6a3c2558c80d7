"""The guard in pods of the chart's Deployment, against a real kubelet and Cilium: what it says is so."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.guard.told import engaged
from tests.cluster.people import engage
from tests.cluster.support import Admin
from tests.node.conftest import Ground
from tests.node.engine import QUICK, address_of, inject, now, reader, served, wait_available, wait_end, wait_tokens
from tests.node.timings import note
from tests.testbed import Testbed
from tests.testbed.helm import helm
from tests.testbed.node.incluster import CHART

pytestmark = pytest.mark.node

LONG = {**QUICK, "DOUBLE_ANSWER_TOKENS": "2000"}


@pytest.fixture
def guards(bed: Testbed, ground: Ground) -> Iterator[None]:
    """Two of them, as the chart installs them, once they are ready."""
    options = ("upgrade", "meditron-operator", str(CHART), "--reuse-values", "--wait")
    helm(bed, *options, "--set", "guard.enabled=true")
    yield
    helm(bed, *options, "--set", "guard.enabled=false")


def test_an_engine_that_ignores_sigterm_is_gone_and_proven_gone(
    bed: Testbed, admin: Admin, ground: Ground, clinic: str, probe: str, guards: None
) -> None:
    admin.create(served("notes", clinic, ground.engine_image, env=LONG, shutdown={"graceSeconds": 60}))
    wait_available(admin, clinic, "notes")
    address = address_of(admin, clinic, "notes")
    inject(bed, admin, clinic, "notes-0", ignore_sigterm=True)
    admin.create(reader(clinic, "named", probe, address, tokens=1500))
    wait_tokens(admin, clinic, "named", 20)

    moment, began = now(), time.monotonic()
    engage(admin, clinic, "notes")
    told = engaged(admin, clinic, "notes", 60)
    note("from the kill annotation to Engaged, proven from outside", time.monotonic() - began)

    got = wait_end(admin, clinic, "named")
    note("from the kill annotation to the last token at the client, with the guard", got.tokens[-1]["at"] - moment)
    note("the guard's own figure for the last pod's end", told["secondsToStop"])
    assert got.ended != "complete"
    assert got.tokens[-1]["at"] - moment < 4
    assert told["secondsToStop"] < 8
    assert address in told["message"]
    assert "unconfirmedPods" not in told
    assert admin.get("Pod", clinic, "notes-0") is None
