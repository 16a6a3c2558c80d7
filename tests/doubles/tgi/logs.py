"""Log lines as Rust's `tracing` writes them: the launcher's compact form and the router's, or JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TextIO

LAUNCHER: Final = "text_generation_launcher"
_LEVELS: Final = ("ERROR", "WARN", "INFO", "DEBUG", "TRACE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the router's source a line comes from: the router prints it, the launcher does not."""

    target: str
    file: str
    line: int


V3: Final = Place(target="text_generation_router_v3", file="backends/v3/src/lib.rs", line=125)
CLIENT: Final = Place(target="text_generation_router_v3::client", file="backends/v3/src/client/mod.rs", line=45)
MAIN: Final = Place(target="text_generation_router", file="backends/v3/src/main.rs", line=165)
SERVER: Final = Place(target="text_generation_router::server", file="router/src/server.rs", line=1741)
INFER: Final = Place(target="text_generation_router::infer", file="router/src/infer/mod.rs", line=105)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Writes to one stream. `now` gives Unix time in seconds."""

    stream: TextIO
    now: Callable[[], float]
    as_json: bool = False
    level: str = "INFO"

    def launcher(self, level: str, message: str, span: str = "", rank: int | None = None) -> None:
        """A line of the launcher, also for what it passes on from its shards."""
        if not self._shown(level):
            return
        if self.as_json:
            about: dict[str, object] = {"fields": {"message": message}, "target": LAUNCHER}
            if span:
                one = {"name": span} if rank is None else {"rank": rank, "name": span}
                about |= {"span": one, "spans": [one]}
            self._json(level, about)
        else:
            where = f"{span}: {LAUNCHER}" if span else LAUNCHER
            self._text(level, f"{where}: {message}" + ("" if rank is None else f" rank={rank}"))

    def router(self, level: str, place: Place, message: str, spans: Sequence[str] = ()) -> None:
        """A line of the router. `spans` are the open ones, each with its fields in braces, if it has any."""
        if not self._shown(level):
            return
        if self.as_json:
            about = {"message": message, "target": place.target, "filename": place.file, "line_number": place.line}
            self._json(level, about | ({"spans": list(spans)} if spans else {}))
        else:
            opened = "".join(f"{span}:" for span in spans)
            self._text(level, f"{opened}{' ' * bool(opened)}{place.target}: {place.file}:{place.line}: {message}")

    def raw(self, text: str) -> None:
        """What a process writes past its log, and the launcher passes on."""
        self._write(text)

    def _shown(self, level: str) -> bool:
        return _LEVELS.index(level) <= _LEVELS.index(self.level)

    def _text(self, level: str, rest: str) -> None:
        self._write(f"{self._time()} {level:>5} {rest}")

    def _json(self, level: str, about: Mapping[str, object]) -> None:
        self._write(json.dumps({"timestamp": self._time(), "level": level} | dict(about), ensure_ascii=False))

    def _write(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()

    def _time(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def level_of(text: str | None) -> str:
    """LOG_LEVEL; what is no level means info, as does the launcher's lossy parser."""
    return text.upper() if text is not None and text.upper() in _LEVELS else "INFO"
