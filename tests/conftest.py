"""What a failed test with a testbed shows beside its assertion: what our own programs said last."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.testbed import Testbed

_LINES = 15
_LINE_CHARACTERS = 400


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        beds = (value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Testbed))
        for log in sorted(
            {log for bed in beds for log in (*bed.logs.glob("operator.log"), *bed.logs.glob("guard*.log"))}
        ):
            report.sections.append((f"the end of {log.name}", _end(log)))
    return report


def _end(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LINES:]
    return "\n".join(line[:_LINE_CHARACTERS] for line in lines)
