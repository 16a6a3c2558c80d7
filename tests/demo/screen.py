"""What the viewer sees: a live table under the steps on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.text import Text

from tests.demo.rows import Row
from tests.demo.table import change, table

_WIDEST = 120
_FRAME = 4  # columns that the panel's borders and padding take
_REFRESH_SECONDS = 0.1


class PlainScreen:
    """One line per event, without any control code."""

    tick = "ok"

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lock = threading.RLock()  # the steps and the watches write from threads of their own
        self._said: dict[str, Row] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to give back."""

    def say(self, text: str | Text = "", style: str = "") -> None:
        """One line, however long: what is too long for a terminal can still be copied."""
        # Styled here: the style of a print would go to the live table too.
        line = Text(text, style=style) if isinstance(text, str) else text
        with self.lock:
            self.console.print(line, soft_wrap=True)

    def step(self, title: str) -> None:
        self.say()
        self.say(title, style="bold")

    def command(self, *lines: str) -> None:
        """What a user would type for the same."""
        self.say("  $ " + "\n      ".join(lines), style="dim")

    def done(self, what: str, seconds: float) -> None:
        line = Text("  ").append(f"{self.tick} {seconds:6.2f} s  ", style="green").append(what)
        self.say(line)

    def busy(self, what: str) -> None:
        """What goes on now."""
        self.say(f"  ... {what}", style="dim")

    def conclude(self, head: str, *lines: str) -> None:
        """The end of it."""
        self.say()
        self.say(head, style="bold green")
        for line in lines:
            self.say(line)

    def show(self, rows: Sequence[Row]) -> None:
        """The deployments as they now are; called from several threads."""
        with self.lock:
            for row in rows:
                if row.why and self._said.get(row.name) != row:
                    self.say(f"  {change(row)}")
                    self._said[row.name] = row


class LiveScreen(PlainScreen):
    """The steps scroll by above; the table and what goes on now stay below."""

    tick = "✓"

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._rows: Sequence[Row] = ()
        self._busy: tuple[Spinner, str, float] | None = None
        # Refreshed by us: rich's own thread mixes its lines with those that are printed at the same time.
        self._live = Live(console=console, get_renderable=self._picture, auto_refresh=False)
        self._over = threading.Event()
        self._painter = threading.Thread(target=self._paint, daemon=True)

    def __enter__(self) -> Self:
        self._live.start()
        self._painter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._painter.join()
        self._busy = None
        self._live.stop()

    def _paint(self) -> None:
        while not self._over.wait(_REFRESH_SECONDS):
            with self.lock:
                self._live.refresh()

    def done(self, what: str, seconds: float) -> None:
        self._busy = None
        super().done(what, seconds)

    def busy(self, what: str) -> None:
        self._busy = (Spinner("dots", style="cyan"), what, time.monotonic())

    def show(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def _picture(self) -> RenderableType:
        parts: list[RenderableType] = [Text()]
        if self._rows:
            parts.append(_panel(self._rows, min(self.console.width, _WIDEST)))
        if self._busy is not None:
            spinner, what, since = self._busy
            spinner.update(text=Text(f"{what}  {time.monotonic() - since:.0f} s", style="dim", no_wrap=True))
            parts.append(spinner)
        return Group(*parts)


def screen() -> PlainScreen:
    """The one that suits the standard output. NO_COLOR keeps the live table and takes the colours away."""
    console = Console(highlight=False)
    lively = sys.stdout.isatty() and not console.is_dumb_terminal and console.encoding.startswith("utf")
    return LiveScreen(console) if lively else PlainScreen(console)


def _panel(rows: Sequence[Row], width: int) -> Panel:
    title = Text("MeditronDeployments, as their status tells", style="bold")
    return Panel(table(rows, width - _FRAME), title=title, title_align="left", border_style="blue", width=width)
