"""What the campaign tries: values as the CRD's schema has them, and ways to compare that hide nothing."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.campaign.changes import ABSENT, FIELDS, Change, sequences
from tests.campaign.compare import Excuse, unexcused
from tests.campaign.meanings import KEYS, MEANINGS, TOGETHER
from tests.campaign.schema import Path, Schema, right, wrong

PATHS = {".".join(path) for path in FIELDS}


def fits(schema: Schema, value: Any) -> bool:
    """Whether a value is in the schema: an independent, slower reading of it."""
    if "enum" in schema:
        return value in schema["enum"]
    match schema["type"]:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and schema["minimum"] <= value <= schema["maximum"]
        case "string":
            matching = isinstance(value, str) and re.fullmatch(schema.get("pattern", "(?s:.*)"), value)
            return bool(matching) and schema.get("minLength", 0) <= len(value) <= schema["maxLength"]
        case "array":
            listed = isinstance(value, list) and len(value) <= schema["maxItems"]
            return listed and all(fits(schema["items"], item) for item in value)
    return isinstance(value, dict) and _members_fit(schema, value)


def _members_fit(schema: Schema, value: dict[str, Any]) -> bool:
    if "additionalProperties" in schema:
        size = schema.get("minProperties", 0) <= len(value) <= schema["maxProperties"]
        return size and all(fits(schema["additionalProperties"], member) for member in value.values())
    needed = set(schema.get("required", ()))
    return needed <= value.keys() and all(fits(schema["properties"][name], member) for name, member in value.items())


@given(st.data(), st.sampled_from(list(FIELDS)))
def test_what_is_right_fits_the_schema(data: st.DataObject, path: Path) -> None:
    assert fits(FIELDS[path], data.draw(right(FIELDS[path], KEYS)))


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
def test_what_is_wrong_does_not(path: Path) -> None:
    tried = wrong(FIELDS[path])
    assert tried
    assert [value for value in tried if fits(FIELDS[path], value)] == []


def test_meanings_are_of_fields_that_there_are() -> None:
    assert MEANINGS.keys() <= PATHS
    assert {path for fields in TOGETHER for path in fields} <= PATHS


def test_changes_set_and_take_away() -> None:
    spec = {"model": {"id": "meditron-7b"}, "replicas": 2}
    change = Change(((("model", "dtype"), "float16"), (("replicas",), ABSENT), (("gpu", "count"), 4)))
    assert change.of(spec) == {"model": {"id": "meditron-7b", "dtype": "float16"}, "gpu": {"count": 4}}
    assert spec == {"model": {"id": "meditron-7b"}, "replicas": 2}
    assert str(change) == 'model.dtype "float16", replicas absent, gpu.count 4'


def test_taking_away_what_is_not_there_leaves_no_trace() -> None:
    assert Change(((("network", "monitoring"), ABSENT),)).of({"replicas": 1}) == {"replicas": 1}


def test_the_same_seed_makes_the_same_changes() -> None:
    one, again, other = sequences(4, 5, begin="1"), sequences(4, 5, begin="1"), sequences(4, 5, begin="2")
    assert [len(sequence) for sequence in one] == [5, 5, 5, 5]
    assert str(one) == str(again)
    assert str(one) != str(other)


def test_differences_are_told_by_their_path_unless_excused() -> None:
    one = {"a": {"b": [1, {"c": 2}]}, "d": 1, "e": {"f": 1}}
    other = {"a": {"b": [1, {"c": 3}]}, "e": {"f": 2, "g": 1}}
    lines = ["a/b/1/c: 2 / 3", "d: 1 / (absent)", "e/f: 1 / 2", "e/g: (absent) / 1"]
    assert unexcused(one, other, []) == lines
    assert unexcused(one, other, [Excuse("e/*", "a reason")]) == lines[:2]
    assert unexcused(one, one, []) == []
