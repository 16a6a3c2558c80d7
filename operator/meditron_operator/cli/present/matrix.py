"""All cards times all counts: how many full-length requests each holds."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from meditron_operator.core.sizing.matrix import Cell, Outcome, Row

HOW_TO_READ: Final = (
    "Full-length requests at once, by GPUs a replica. ~ tight profile, (n) fewer than asked, - does not fit, "
    "blank: can't be. One card alone: add --gpu."
)
_CELL_WIDTH: Final = 8  # digits of the largest count that is shown, its marks, and a gap


def matrix_lines(rows: Sequence[Row]) -> Iterator[Text]:
    """A heading, then one line a card; at its end why a card holds nothing."""
    name_width = max(len(row.gpu.name) for row in rows)
    heads = "".join(f"{f'{cell.gpus}x':>{_CELL_WIDTH}}" for cell in rows[0].cells)
    yield Text(f"{'GPU':<{name_width}}{heads}", style="bold")
    for row in rows:
        line = Text(f"{row.gpu.name:<{name_width}}")
        for cell in row.cells:
            line.append_text(_shown(cell))
        yield line.append(f"   {row.why_not}", style="dim") if row.why_not else line


def _shown(cell: Cell) -> Text:
    text, style = _words(cell)
    return Text(f"{text:>{_CELL_WIDTH}}", style=style)


def _words(cell: Cell) -> tuple[str, str]:
    match cell.outcome:
        case Outcome.FITS:
            return (f"~{cell.sequences:,}", "yellow") if cell.tight else (f"{cell.sequences:,}", "green")
        case Outcome.TOO_FEW:
            return f"({cell.sequences:,})", "dim"
        case Outcome.DOES_NOT_FIT:
            return "-", "dim"
        case Outcome.ILLEGAL:
            return "", ""
