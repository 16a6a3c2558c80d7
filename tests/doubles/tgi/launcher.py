"""The launcher's life: plan, download, shards, warm-up, serve, drain (L, fn main). `run` gives the exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from tests.doubles.tgi import control, router
from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.build import World
from tests.doubles.tgi.launch import Launch, LauncherError, argument_error, plan
from tests.doubles.tgi.modelfiles import ModelFiles, look
from tests.doubles.tgi.settings import Crash
from tests.doubles.tgi.shardlog import Shards
from tests.doubles.tgi.shards import refusal
from tests.doubles.tgi.warmup import RouterError

FAILED: Final = 1
MIB: Final = 2**20
_WAITING_SECONDS: Final = 10.0
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_NO_WEIGHTS: Final = "FileNotFoundError: No local weights found in {model} with extension .bin"
_NO_REPOSITORY: Final = "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': '{model}'. Use `repo_type` argument if necessary."  # noqa: E501 - one line in TGI's log too

T = TypeVar("T")


class StoppedError(Exception):
    """A signal came before there was anything to drain."""


class Launcher:
    """One process."""

    def __init__(self, world: World, arguments: Arguments) -> None:
        self._world = world
        self._arguments = arguments
        self._log = world.log
        self._stop = asyncio.Event()
        self._ballast = b""
        self._router: router.Router | None = None

    async def run(self) -> int:
        setup = self._world.setup
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        if setup.control_port:
            await control.serve(setup.control_host, setup.control_port, self._world.faults, self._state)
        ballast = asyncio.create_task(self._hold_memory())
        try:
            await self._main()
        except LauncherError as error:
            sys.stderr.write(f"Error: {error}\n")
            return FAILED
        except StoppedError:
            pass
        finally:
            ballast.cancel()
        return 0

    async def _main(self) -> None:
        self._log.launcher("INFO", self._arguments.debug)
        files = look(self._arguments.model_id)
        gpus = self._world.setup.gpus or None
        launch = plan(self._arguments, self._world.environ, files, gpus)
        for line in launch.lines:
            self._log.launcher(line.level, line.text)
        await self._download(files)
        shards = Shards(launch.num_shard, self._arguments.shard_uds_path, self._world)
        try:
            await self._load(launch, files, shards)
            await self._serve(launch, files, shards)
        finally:
            shards.remove_sockets()

    async def _download(self, files: ModelFiles) -> None:
        model = self._arguments.model_id
        self._log.launcher("INFO", f"Starting check and download process for {model}", span="download")
        problem = self._missing(files)
        if self._world.faults.now.load == "download":
            problem = "requests.exceptions.ConnectionError: [Errno -3] Temporary failure in name resolution"
        if problem is not None:
            self._log.launcher("ERROR", f"Download encountered an error: \n{problem}", span="download")
            raise LauncherError("DownloadError")
        if files.is_directory:
            self._log.launcher("INFO", "Files are already present on the host. Skipping download.")
        self._log.launcher("INFO", f"Successfully downloaded weights for {model}", span="download")
        for adapter in filter(None, (self._arguments.lora_adapters or "").split(",")):
            if adapter.count("@") > 1 or adapter.count("=") > 1:
                raise argument_error(f"Invalid LoRA adapter format: {adapter.strip()}")

    def _missing(self, files: ModelFiles) -> str | None:
        """A path that is no directory is taken for an id of the Hub, and is none."""
        model = self._arguments.model_id
        if self._world.setup.weights:
            return None
        if files.is_directory:
            return None if files.has_weights else _NO_WEIGHTS.format(model=model)
        return _NO_REPOSITORY.format(model=model) if model.startswith(("/", ".")) else None

    async def _load(self, launch: Launch, files: ModelFiles, shards: Shards) -> None:
        shards.say_starting()
        try:
            problem = refusal(self._arguments, launch, files, self._world.setup.gpus or None)
            if self._world.faults.now.load == "shard":
                problem = "torch.cuda.OutOfMemoryError: CUDA out of memory."
            if problem is None:
                await self._unless_stopped(self._load_weights(shards))
                problem = shards.make_sockets()
        except StoppedError:
            shards.say_shutting_down()
            raise
        if problem is not None:
            shards.say_failed(problem)
            raise LauncherError("ShardCannotStart")
        shards.say_ready(launch)

    async def _load_weights(self, shards: Shards) -> None:
        """Says every ten seconds that it waits."""
        left = self._world.setup.load_seconds
        while left > 0 or self._world.faults.now.load == "hang":
            step = min(left, _WAITING_SECONDS) if left > 0 else _WAITING_SECONDS
            await asyncio.sleep(step)
            left -= step
            if left > 0 or self._world.faults.now.load == "hang":
                shards.say_waiting()

    async def _serve(self, launch: Launch, files: ModelFiles, shards: Shards) -> None:
        self._log.launcher("INFO", "Starting Webserver")
        self._router = router.Router(self._world, self._arguments, launch, files)
        try:
            await self._unless_stopped(self._router.start())
        except RouterError as error:
            self._router.say_failed(error)
            self._log.launcher("ERROR", "Webserver Crashed")
            shards.say_shutting_down()
            raise LauncherError("WebserverFailed") from None
        except StoppedError:
            shards.say_shutting_down()
            raise
        try:
            await self._unless_stopped(self._crash(shards))
        except StoppedError:
            await self._drain(self._router, shards)
        else:
            await self._drain(self._router, shards)
            raise LauncherError("ShardFailed")

    async def _crash(self, shards: Shards) -> None:
        """Waits for the fault; returns when a shard is to be gone, and not at all for the others."""
        faults = self._world.faults
        while True:
            await faults.until(lambda now: bool(now.crash))
            await asyncio.sleep(faults.now.crash_after_seconds)
            if faults.now.crash:  # else it was taken back in time
                break
        crash = Crash.of(faults.now.crash)
        if crash.kind in {"exit", "signal"}:
            end_at_once(crash)
        faults.change({"forward_failures": -1, "failure_text": "transport error"})
        shards.say_crashed(killed=crash.kind == "oom")

    async def _hold_memory(self) -> None:
        """Really used, page by page, so that a memory limit of the container is felt."""
        faults = self._world.faults
        while True:
            await faults.until(lambda now: now.memory_mib * MIB != len(self._ballast))
            self._ballast = b""  # before the new one, not beside it
            self._ballast = b"\1" * (faults.now.memory_mib * MIB)

    async def _drain(self, running: router.Router, shards: Shards) -> None:
        log = self._log
        log.launcher("INFO", "Terminating webserver")
        log.launcher("INFO", "Waiting for webserver to gracefully shutdown")
        finished = await running.drain(self._arguments.graceful_termination_timeout)
        if finished:
            log.launcher("INFO", "webserver terminated")
        else:
            log.launcher("INFO", "Killing webserver")
            log.launcher("INFO", "webserver killed")
        await running.close()
        shards.say_shutting_down()

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Raises StoppedError when a signal comes first."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise StoppedError
        finally:
            task.cancel()
            stop.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    def _on_signal(self) -> None:
        if not self._world.faults.now.ignore_sigterm:
            self._stop.set()

    def _state(self) -> dict[str, object]:
        return {"serving": False} if self._router is None else self._router.state()


def end_at_once(crash: Crash) -> None:
    """As the first process of a container it can't kill itself by a signal: then by the code that stands for it."""
    if crash.kind == "signal":
        os.kill(os.getpid(), crash.number)
    os._exit(crash.number if crash.kind == "exit" else 128 + crash.number)
