"""The table as lines of text: one line of columns per deployment, and its explanation below. Pure."""

import textwrap
from collections.abc import Sequence

from rich.text import Text

from tests.demo.rows import Row

COLUMNS = ("name", "model", "gpus", "node", "ready", "phase")
_GAP = 2
_MOST_LINES = 3  # of an explanation
_COLOURS = {
    "Ready": "bold green",
    "Idle": "bold",
    "Invalid": "bold red",
    "Degraded": "bold red",
    "Stopping": "bold magenta",
    "Stopped": "bold magenta",
}


def table(rows: Sequence[Row], width: int) -> Text:
    """All rows within `width` columns; what does not fit is cut, and a sign says so."""
    widths = [max(len(column), *(len(getattr(row, column)) for row in rows), 0) for column in COLUMNS]
    titles = (column.upper().ljust(size + _GAP) for column, size in zip(COLUMNS, widths, strict=True))
    lines = [Text("".join(titles), style="dim")]
    for row in rows:
        lines += [_columns(row, widths), *_explanation(row, width)]
    for line in lines:
        line.rstrip()
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def change(row: Row) -> str:
    """One row as one line, for output that is read as a log."""
    return f"{row.name}: {row.phase}; {row.gpus} on {row.node}; ready {row.ready}; {row.why}"


def _columns(row: Row, widths: Sequence[int]) -> Text:
    styles = {"name": "bold", "phase": _COLOURS.get(row.phase, "bold yellow")}
    line = Text()
    for column, size in zip(COLUMNS, widths, strict=True):
        line.append(getattr(row, column).ljust(size + _GAP), style=styles.get(column, ""))
    return line


def _explanation(row: Row, width: int) -> list[Text]:
    lines = textwrap.wrap(row.why, max(width - _GAP, 20), max_lines=_MOST_LINES, placeholder=" …")
    return [Text(" " * _GAP + line, style="dim") for line in lines]
