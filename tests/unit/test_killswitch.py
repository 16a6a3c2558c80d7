"""Any value stops: a typo must not look like a stop and be none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.killswitch import Engaged, engaged

SWITCH, WHY = "meditron.ai/kill-switch", "meditron.ai/kill-reason"


@pytest.mark.parametrize(
    "value", ["halt", "hold", "drain", "", "True ", "no", "false", "off", "0", "release", " ", "HALT"]
)
def test_every_value_engages(value: str) -> None:
    assert engaged({"annotations": {SWITCH: value}}) == Engaged(mode=value or "halt", reason="")


@given(st.text(), st.text())
def test_every_text_engages(value: str, reason: str) -> None:
    found = engaged({"annotations": {SWITCH: value, WHY: reason}})
    assert found is not None
    assert found.mode
    assert found.reason == reason


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"annotations": None},
        {"annotations": {}},
        {"annotations": {WHY: "a reason alone stops nothing"}},
        {"annotations": {"meditron.ai/kill-switch-old": "halt"}},
        {"labels": {SWITCH: "halt"}},
    ],
)
def test_only_the_annotation_engages(metadata: dict[str, Any]) -> None:
    assert engaged(metadata) is None
