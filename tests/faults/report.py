"""The table of docs/faults.md, from a run of the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.docs.blocks import filled, table
from tests.faults.table import Row

FILE: Final = Path("docs/faults.md")
_HEADS: Final = ("fault", "what happens", "lasts", "hit", "right again after", "writes")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one fault came to."""

    row: Row
    hits: int
    seconds: float
    """From its end until everything was as without it."""
    writes: float
    """Requests that write, refused ones included, as a multiple of those of a run without a fault."""


def write(findings: Sequence[Finding]) -> None:
    """Write them between the marks of the file."""
    rows = [
        (
            each.row.name,
            each.row.what,
            "its start" if each.row.kills else f"{each.row.seconds:g} s",
            str(each.hits),
            f"{each.seconds:.1f} s",
            f"{each.writes:.1f}×",
        )
        for each in findings
    ]
    text = FILE.read_text(encoding="utf-8")
    FILE.write_text(filled(text, {"faults": lambda: table(_HEADS, rows)}), encoding="utf-8")
