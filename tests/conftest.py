"""What a failed test with a testbed shows beside its assertion: what our own programs said last."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.testbed import Testbed

_PROGRAMS = ("operator", "guard")
_LINES = 15
_LINE_CHARACTERS = 400


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"the end of {log.name}", _end(log)) for log in _logs(item)]
    return report


def _logs(item: pytest.Item) -> list[Path]:
    beds = (value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Testbed))
    return sorted({log for bed in beds for program in _PROGRAMS for log in bed.logs.glob(f"{program}*.log")})


def _end(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LINES:]
    return "\n".join(line[:_LINE_CHARACTERS] for line in lines)
