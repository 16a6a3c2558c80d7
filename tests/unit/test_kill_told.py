"""The guard's words as they are stored, and read again."""

from dataclasses import replace
from typing import Any

import pytest

from meditron_operator.core.killswitch.told import SwitchState, SwitchStatus, UnconfirmedPod

FULL = SwitchStatus(
    state=SwitchState.ENGAGED_UNVERIFIED,
    scope="deployment",
    mode="halt",
    reason="wrong dose",
    ticket="T-1",
    killed_by="anna",
    admitted_at="2026-01-31T12:00:00Z",
    engaged_at="2026-01-31T12:00:00.010Z",
    traffic_cut_at="2026-01-31T12:00:00.020Z",
    last_pod_gone_at="2026-01-31T12:00:02.000Z",
    verified_at="2026-01-31T12:00:03.000Z",
    seconds_to_stop=2.5,
    unconfirmed_pods=(UnconfirmedPod(name="notes-0", uid="u-0", node="n7"),),
    message="node n7 is lost",
    record="kill-000001",
)
STORED: dict[str, Any] = {
    "state": "EngagedUnverified",
    "scope": "deployment",
    "mode": "halt",
    "reason": "wrong dose",
    "ticket": "T-1",
    "killedBy": "anna",
    "admittedAt": "2026-01-31T12:00:00Z",
    "engagedAt": "2026-01-31T12:00:00.010Z",
    "trafficCutAt": "2026-01-31T12:00:00.020Z",
    "lastPodGoneAt": "2026-01-31T12:00:02.000Z",
    "verifiedAt": "2026-01-31T12:00:03.000Z",
    "secondsToStop": 2.5,
    "unconfirmedPods": [{"name": "notes-0", "uid": "u-0", "node": "n7"}],
    "message": "node n7 is lost",
    "record": "kill-000001",
}
LEAST = SwitchStatus(state=SwitchState.ENGAGING, scope="cluster", mode="drain")


def test_every_word_has_its_field() -> None:
    assert FULL.wire() == STORED
    assert SwitchStatus.of({"killSwitch": STORED}) == FULL


def test_what_is_not_known_is_left_out() -> None:
    stored = {"state": "Engaging", "scope": "cluster", "mode": "drain"}
    assert LEAST.wire() == stored
    assert SwitchStatus.of({"killSwitch": stored}) == LEAST
    assert replace(LEAST, seconds_to_stop=0.0).wire() == stored | {"secondsToStop": 0.0}


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"killSwitch": None},
        {"killSwitch": "Engaged"},
        {"killSwitch": {}},
        *({"killSwitch": {key: value for key, value in STORED.items() if key != lost}} for lost in ("scope", "mode")),
        {"killSwitch": STORED | {"state": "Stopped"}},
        {"killSwitch": STORED | {"secondsToStop": "soon"}},
        {"killSwitch": STORED | {"unconfirmedPods": [{"name": "notes-0"}]}},
    ],
)
def test_what_cannot_be_read_was_not_said(status: dict[str, Any]) -> None:
    assert SwitchStatus.of(status) is None
