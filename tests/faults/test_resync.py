"""Every deployment is looked at again and again without any event: where nothing differs that costs no request."""

import json
import time
from dataclasses import replace
from typing import Final

import pytest

from tests.cluster.support import Admin, deployment
from tests.faults.holder import ask, wait_holder
from tests.faults.operators import Start, running
from tests.faults.proxy import FaultProxy
from tests.testbed import Testbed
from tests.testbed.layout import Layout, Ports

pytestmark = pytest.mark.cluster

RESYNC_SECONDS: Final = 0.5
LOOKS: Final = 10


def test_a_resync_asks_for_nothing(bed: Testbed, admin: Admin, proxy: FaultProxy, start: Start, ward: str) -> None:
    port = Ports.load(Layout(bed.directory)).operator
    with running(replace(start, resync_seconds=RESYNC_SECONDS, health_port=port)) as one:
        wait_holder(admin, "operator")
        for name, replicas in (("idle", 0), ("serving", 1)):
            admin.create(deployment(name, ward, replicas=replicas))
        admin.wait_settled(ward, "idle", "Idle")
        admin.wait_settled(ward, "serving", "Ready")
        time.sleep(1)  # the echo of the last status

        known, ages = len(proxy.calls), []
        for _ in range(LOOKS):
            time.sleep(RESYNC_SECONDS)
            ages.append(json.loads(ask(port, "/healthz")[1])["lastSuccessfulPassAgeSeconds"])

        assert max(ages) < 4 * RESYNC_SECONDS, "passes go on"
        assert [call for call in proxy.calls[known:] if call.resource != "leases" and call.verb != "watch"] == []
        assert one.crashes() == []
