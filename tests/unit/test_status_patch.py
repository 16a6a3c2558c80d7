"""The merge patch from one status to another."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.status import merge_patch


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


VALUES = st.recursive(
    st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3) | objects(inner), max_leaves=8
)


def merged(stored: Any, patch: Any) -> Any:
    """RFC 7396, as the API server does it."""
    if not isinstance(patch, dict):
        return patch
    result = copy.deepcopy(stored) if isinstance(stored, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@given(objects(VALUES), objects(VALUES))
def test_the_patch_leads_from_the_one_to_the_other(stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert merged(stored, merge_patch(stored, wanted)) == wanted


def test_a_field_of_a_nested_object_goes_too() -> None:
    stored = {"measured": {"kvCapacityTokens": 1, "replicas": []}, "gone": 1}
    assert merge_patch(stored, {"measured": {"replicas": []}}) == {
        "measured": {"kvCapacityTokens": None, "replicas": []},
        "gone": None,
    }
