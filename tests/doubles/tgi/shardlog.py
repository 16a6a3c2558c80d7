"""What the launcher logs of its shards, and the sockets by which it sees them (L, fn shard_manager)."""

from pathlib import Path

from tests.doubles.tgi.build import World
from tests.doubles.tgi.launch import Launch


class Shards:
    """All shards of one launcher; they live and die together."""

    def __init__(self, count: int, socket_path: str, world: World) -> None:
        self._ranks = range(count)
        self._sockets = [Path(f"{socket_path}-{rank}") for rank in self._ranks]
        self._log = world.log
        self._clock = world.clock
        self._began = world.clock()

    def say_starting(self) -> None:
        self._each("INFO", "Starting shard")

    def say_waiting(self) -> None:
        self._each("INFO", "Waiting for shard to be ready...")

    def say_ready(self, launch: Launch) -> None:
        self._log.launcher("INFO", f"Using Attention = {launch.attention}")
        self._log.launcher("INFO", f"Using prefill chunking = {launch.prefill_chunking}")
        took = self._clock() - self._began
        for rank, socket in zip(self._ranks, self._sockets, strict=True):
            self._log.launcher("INFO", f"Server started at unix://{socket}")
            self._log.launcher("INFO", f"Shard ready in {took:.9f}s", span="shard-manager", rank=rank)

    def say_failed(self, problem: str) -> None:
        trace = f"Shard complete standard error output:\n\nTraceback (most recent call last):\n{problem}"
        self._log.launcher("ERROR", trace, span="shard-manager", rank=0)
        self._log.launcher("ERROR", "Shard 0 failed to start")
        self._log.launcher("INFO", "Shutting down shards")

    def say_crashed(self, *, killed: bool) -> None:
        self._log.launcher("ERROR", "Shard complete standard error output:\n", span="shard-manager", rank=0)
        if killed:
            text = "Shard process was signaled to shutdown with signal 9"
            self._log.launcher("ERROR", text, span="shard-manager", rank=0)
        self._log.launcher("ERROR", "Shard 0 crashed")

    def say_shutting_down(self) -> None:
        self._log.launcher("INFO", "Shutting down shards")
        for text in ("Terminating shard", "Waiting for shard to gracefully shutdown", "shard terminated"):
            self._each("INFO", text)

    def make_sockets(self) -> str | None:
        """The first problem, as a shard would put it. They must be where the launcher looks for them."""
        for socket in self._sockets:
            try:
                socket.unlink(missing_ok=True)
                socket.touch()
            except OSError as error:
                return f"RuntimeError: Failed to bind to address unix://{socket}: {error.strerror}"
        return None

    def remove_sockets(self) -> None:
        for socket in self._sockets:
            socket.unlink(missing_ok=True)

    def _each(self, level: str, text: str) -> None:
        for rank in self._ranks:
            self._log.launcher(level, text, span="shard-manager", rank=rank)
