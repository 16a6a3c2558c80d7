"""Label selectors select what Kubernetes says they select."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.selectors import selects

LABELS = {"app": "notes", "tier": ""}


def expression(operator: str, key: str, *values: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"key": key, "operator": operator}
    return {"matchExpressions": [rule | ({"values": list(values)} if values else {})]}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {}}, True),
        ({"matchLabels": {"app": "notes"}}, True),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchLabels": {"missing": ""}}, False),
        ({"matchLabels": {"tier": ""}}, True),
        (expression("In", "app", "notes", "x"), True),
        (expression("In", "app", "x"), False),
        (expression("In", "missing", "x"), False),
        (expression("NotIn", "app", "notes"), False),
        (expression("NotIn", "missing", "x"), True),
        (expression("Exists", "tier"), True),
        (expression("Exists", "missing"), False),
        (expression("DoesNotExist", "tier"), False),
        (expression("DoesNotExist", "missing"), True),
        ({"matchLabels": {"app": "notes"}} | expression("DoesNotExist", "app"), False),
    ],
)
def test_selects(selector: dict[str, Any], *, expected: bool) -> None:
    assert selects(selector, LABELS) is expected


KEYS, VALUES = st.sampled_from("abc"), st.sampled_from("xy")


@given(st.dictionaries(KEYS, VALUES), KEYS, st.lists(VALUES, min_size=1))
def test_in_and_not_in_are_opposites(labels: dict[str, str], key: str, values: list[str]) -> None:
    assert selects(expression("In", key, *values), labels) != selects(expression("NotIn", key, *values), labels)
    assert selects(expression("Exists", key), labels) != selects(expression("DoesNotExist", key), labels)
