"""A record as the API server shows it."""

from typing import Any

import pytest

from meditron_operator.core.killswitch.records import Record
from meditron_operator.core.killswitch.records.report import moment

META = {
    "namespace": "ward",
    "name": "kill-000007",
    "creationTimestamp": "2026-01-31T12:00:00Z",
    "resourceVersion": "9",
}


def test_everything_is_read() -> None:
    spec, status = {"action": "Engage", "hash": "h"}, {"hash": "o", "state": "Engaged"}
    assert Record.of({"metadata": META, "spec": spec, "status": status}) == Record(
        namespace="ward",
        name="kill-000007",
        spec=spec,
        status=status,
        created_at="2026-01-31T12:00:00Z",
        resource_version="9",
    )


@pytest.mark.parametrize("part", [None, "text", ["list"]])
def test_what_is_no_object_reads_as_an_empty_one(part: Any) -> None:
    meta = {"namespace": "ward", "name": "kill-000007"}
    read = Record.of({"metadata": meta, "spec": part, "status": part})
    assert read == Record(namespace="ward", name="kill-000007", spec={})


@pytest.mark.parametrize("wrong", [{"namespace": 7}, {"name": None}])
def test_a_name_that_is_no_text_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"\Aa name that is no text\Z"):
        Record.of({"metadata": META | wrong})


@pytest.mark.parametrize(
    ("spec", "created", "said"),
    [
        ({"admittedAt": "first", "seenAt": "second"}, "third", "first"),
        ({"seenAt": "second"}, "third", "second"),
        ({}, "third", "third"),
        ({}, "", "at a time unknown"),
    ],
)
def test_when_it_happened(spec: dict[str, Any], created: str, said: str) -> None:
    assert moment(Record(namespace="ward", name="kill-000007", spec=spec, created_at=created)) == said
