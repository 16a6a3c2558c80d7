"""Times as they are stored, by whomever."""

from datetime import UTC, datetime
from typing import Any

import pytest

from meditron_operator.core.times import moment, rfc3339

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T13:00:00.000+01:00", NOON),
        ("2026-01-31T12:00:00", None),  # whose noon?
        ("noon", None),
        ("", None),
        (None, None),
        (12, None),
    ],
)
def test_what_is_no_time_is_none(stored: Any, read: datetime | None) -> None:
    assert moment(stored) == read


def test_what_is_written_can_be_read() -> None:
    assert rfc3339(NOON) == "2026-01-31T12:00:00Z"
    assert moment(rfc3339(NOON)) == NOON
