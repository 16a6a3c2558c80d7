"""Whatever is done to a spec: the children follow it, the way to it leaves nothing behind, and what is bad is healed by
taking it back."""

import itertools
import math
from collections import deque
from typing import Any, Final

import pytest

from tests.campaign.campaign import Campaign
from tests.campaign.changes import FIELDS, sequences
from tests.campaign.conftest import OPERATIONS, namespaces
from tests.campaign.lanes import Answer, Lane
from tests.campaign.oracles import complaints
from tests.cluster.support import IMAGE, Admin, Audit
from tests.faults.operators import Operator

pytestmark = pytest.mark.cluster

LANES: Final = 30
LENGTH: Final = 10
"""Operations of each."""
SPARE: Final = 5
"""Changes in the place of those that would change nothing."""
ACCEPTED_SHARE: Final = 2 / 3
USUAL_SEED: Final = "1"

_BARE: Final[dict[str, Any]] = {
    "model": {"id": "meditron-7b", "source": {"persistentVolumeClaim": {"claimName": "weights"}}},
    "gpu": {"type": "L4"},
    "engine": {"image": IMAGE},
    "rollout": {"allowOutage": True},
}
_PEER: Final = {"namespace": "ward", "podLabels": {"app": "notes"}}
STARTS: Final = (
    _BARE,
    {
        "model": {
            "id": "meditron-7b",
            "quantization": "none",
            "dtype": "float16",
            "contextTokens": 1024,
            "concurrency": 2,
            "kvCacheDtype": "fp8_e5m2",
            "source": {"persistentVolumeClaim": {"claimName": "weights", "path": "meditron-7b"}},
        },
        "gpu": {
            "type": "L4",
            "count": 2,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "night", "operator": "Exists"}],
            "allowUnproven": True,
        },
        "replicas": 2,
        "network": {"clients": [_PEER], "monitoring": _PEER},
        "offline": True,
        "engine": {"name": "tgi", "image": IMAGE, "runAsNonRoot": False, "extraEnv": {"NCCL_DEBUG": "INFO"}},
        "shutdown": {"graceSeconds": 60},
        "rollout": {"allowOutage": True, "onFailure": "rollback"},
    },
    _BARE | {"gpu": {"type": "auto"}, "replicas": 3},
)
"""First specs, in turn: little, nearly everything, and a card that the operator chooses."""


def test_a_campaign(admin: Admin, audit: Audit, operator: Operator, pytestconfig: pytest.Config) -> None:
    wanted: int = pytestconfig.getoption("--operations", OPERATIONS)
    rounds = math.ceil(wanted / (LANES * LENGTH))
    made = sequences(rounds * LANES, LENGTH + SPARE, pytestconfig.getoption("--hypothesis-seed") or USUAL_SEED)
    wards = [f"campaign-{lane}" for lane in range(LANES)]
    namespaces(admin, [name for ward in wards for name in (ward, f"{ward}-fresh")])
    campaign = Campaign(admin, audit)

    for first in range(0, len(made), LANES):
        lanes = zip(wards, map(deque, made[first : first + LANES]), itertools.cycle(STARTS), strict=False)
        campaign.run([Lane(ward, changes, start) for ward, changes, start in lanes], LENGTH)

    figures = campaign.figures
    print(f"\n{figures}")
    assert campaign.findings == [], "\n".join(campaign.findings)
    assert operator.alive
    assert complaints(operator.log) == []
    assert figures.operations >= wanted
    assert figures.answers[Answer.ACCEPTED] >= ACCEPTED_SHARE * wanted
    assert figures.fields.keys() == {".".join(path) for path in FIELDS}
