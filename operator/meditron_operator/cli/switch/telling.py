"""Says what happens, with the seconds since the stop was sent. What can't be printed must not hold anything up."""

import contextlib
import sys
from time import monotonic

from meditron_operator.core.killswitch.sight import Sight


class Telling:
    """The timeline of one command. `quiet`: nothing on standard output, as for JSON."""

    def __init__(self, *, quiet: bool) -> None:
        self.began = monotonic()
        self.events: list[dict[str, object]] = []
        self.warnings: list[str] = []
        self._quiet = quiet

    def start(self) -> None:
        """From now on seconds are counted."""
        self.began = monotonic()

    @property
    def seconds(self) -> float:
        return monotonic() - self.began

    def event(self, text: str, sight: Sight | None = None, *, named: bool = False) -> None:
        """One thing that happened; `named`: the deployment is said too."""
        seconds = self.seconds
        deployment = {} if sight is None else {"namespace": sight.namespace, "deployment": sight.name}
        self.events.append({"seconds": round(seconds, 3), **deployment, "text": text})
        about = f"{sight.namespace}/{sight.name}: " if named and sight is not None else ""
        self.say(f"{seconds:8.3f} s  {about}{text}")

    def warn(self, text: str) -> None:
        """On standard error, whatever form the answer has."""
        self.warnings.append(text)
        self._aside(text)

    def _aside(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            print(f"meditron: {text}", file=sys.stderr, flush=True)  # noqa: T201 - the command's answer

    def note(self, text: str) -> None:
        """What a person must know also where standard output is JSON."""
        if self._quiet:
            self._aside(text)
        else:
            self.say(text)

    def say(self, text: str, style: str = "") -> None:
        if self._quiet:
            return
        from rich.text import Text  # noqa: PLC0415 - costs time before the stop is sent

        from meditron_operator.cli.present.screen import screen  # noqa: PLC0415

        with contextlib.suppress(OSError, ValueError, SystemExit):  # rich ends the program when a pipe's reader went
            screen().say(Text(text, style=style))
