"""The terminal: colours and lines that fit it; plain and unbroken text everywhere else."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

_PIPE_WIDTH: Final = 160  # columns of tables in a file or a pull request


@dataclass(frozen=True, slots=True)
class Screen:
    """Where answers go."""

    console: Console

    @property
    def plain(self) -> bool:
        """Only ASCII: not a terminal, or one that can show no more."""
        return not self.console.is_terminal or not self.console.encoding.lower().startswith("utf")

    @property
    def width(self) -> int:
        return self.console.width if self.console.is_terminal else 80

    def say(self, text: Text | str) -> None:
        """Text; broken into lines by a terminal only. Nothing is printed for an empty Text."""
        if isinstance(text, Text) and not text:
            return
        self.console.print(text, soft_wrap=not self.console.is_terminal, highlight=False)

    def line(self, text: Text) -> None:
        """One line of a table: a terminal cuts it at its edge."""
        self.console.print(text, no_wrap=True, overflow="ellipsis", soft_wrap=not self.console.is_terminal)

    def show(self, table: RenderableType) -> None:
        self.console.print(table)


@cache
def screen() -> Screen:
    """Standard output; NO_COLOR and TERM=dumb are obeyed."""
    console = Console()
    return Screen(console if console.is_terminal else Console(width=_PIPE_WIDTH))
