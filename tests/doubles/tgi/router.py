"""The router: warm-up, then the port, then the requests (V3 main.rs, R server.rs)."""

import asyncio
import ipaddress
import os
import resource
import socket
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.build import Running, World, running, uses_hub
from tests.doubles.tgi.launch import Launch
from tests.doubles.tgi.logs import CLIENT, MAIN, SERVER, V3
from tests.doubles.tgi.modelfiles import ModelFiles
from tests.doubles.tgi.server import Server, application
from tests.doubles.tgi.warmup import PanicError, RouterError, Warm, check_before, out_of_memory, warm_up

ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - TGI's own default
BUG: Final = 70  # EX_SOFTWARE
_NEVER_MORE_THAN_HALF: Final = 2


class Router:
    """One webserver process of TGI."""

    def __init__(self, world: World, arguments: Arguments, launch: Launch, files: ModelFiles) -> None:
        self._world = world
        self._log = world.log
        self._arguments = arguments
        self._launch = launch
        self._files = files
        self._running: Running | None = None
        self._server: Server | None = None
        self._loop_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the port is open; raises RouterError."""
        warm = await self._warm_up()
        self._running = running(self._world, self._arguments, self._launch, warm, self._files)
        self._log_start()
        host = self._host()
        self._try_prometheus_port(host)
        app = application(self._running.service, self._arguments.api_key, self._arguments.cors_allow_origin)
        self._server = Server(app, self._max_connections())
        self._loop_task = asyncio.create_task(self._running.engine.run())
        self._loop_task.add_done_callback(_show_bug)
        self._log.router("INFO", replace(SERVER, line=2298), "Connected")
        try:
            await self._server.start(host, self._arguments.port)
        except OSError as error:
            raise self._panic("called `Result::unwrap()` on an `Err` value", error) from None

    def say_failed(self, error: RouterError) -> None:
        if error.served:
            launch = self._launch
            limits = (
                f"max_input_length={_some(launch.max_input_tokens)} "
                f"max_prefill_tokens={launch.max_batch_prefill_tokens} "
                f"max_total_tokens={_some(launch.max_total_tokens)} "
                f"max_batch_size={_some(self._arguments.max_batch_size)}"
            )
            self._log.router("ERROR", CLIENT, error.served, [f"warmup{{{limits}}}", "warmup"])
        self._log.raw(error.printed)

    async def drain(self, limit_seconds: float) -> bool:
        if self._server is None:
            return True
        self._log.router("INFO", SERVER, "signal received, starting graceful shutdown")
        return await self._server.drain(limit_seconds)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()
        if self._loop_task is not None:
            self._loop_task.cancel()

    def state(self) -> dict[str, object]:
        """For the control port."""
        if self._running is None or self._server is None:
            return {"serving": False}
        scheduler = self._running.scheduler
        return {
            "serving": True,
            "connections": self._server.connections,
            "queue": len(scheduler.queue),
            "batch": len(scheduler.batch),
            "free_blocks": scheduler.free_blocks,
            "free_permits": self._running.permits.free,
        }

    async def _warm_up(self) -> Warm:
        check_before(self._arguments)
        self._log.router("INFO", V3, "Warming up model")
        await asyncio.sleep(self._world.setup.warmup_seconds)
        if self._world.faults.now.load == "oom":
            raise out_of_memory(self._launch)
        room = int(self._world.setup.kv_tokens * self._arguments.cuda_memory_fraction)
        warm = warm_up(self._arguments, self._launch, self._files, room)
        blocks, size = warm.kv_tokens // self._launch.block_size, self._launch.block_size
        self._log.launcher("INFO", f"KV-cache blocks: {blocks}, size: {size}")
        graphs = list(reversed(self._launch.cuda_graphs))
        told = f"Cuda Graphs are enabled for sizes {graphs}" if graphs else "Cuda Graphs are disabled (CUDA_GRAPHS=[])."
        self._log.launcher("INFO", told)
        for line in warm.warnings:
            self._log.router(line.level, V3, line.text)
        self._log.router("INFO", replace(V3, line=137), f"Setting max batch total tokens to {warm.kv_tokens}")
        self._log.router("INFO", replace(V3, line=166), "Using backend V3")
        for line in warm.defaulted:
            self._log.router(line.level, MAIN, line.text)
        return warm

    def _log_start(self) -> None:
        model = self._arguments.model_id
        if uses_hub(self._arguments, self._files):
            offline = self._world.environ.get("HF_HUB_OFFLINE") == "1"
            level, text = (
                ("WARN", "Offline mode active using cache defaults")
                if offline
                else ("INFO", "Using the Hugging Face API")
            )
            self._log.router(level, replace(SERVER, line=1590), text)
            if self._files.is_directory and not offline:
                text = "Could not retrieve model info from the Hugging Face hub."
                self._log.router("WARN", replace(SERVER, line=1640), text)
        self._save_tokenizer()
        if self._running is not None and self._running.service.info["model_pipeline_tag"] is None:
            self._log.router("WARN", replace(SERVER, line=1801), f"no pipeline tag found for model {model}")

    def _save_tokenizer(self) -> None:
        """The router rewrites the tokenizer into its working directory; where it can't, it goes on without."""
        try:
            out = Path("out")
            out.mkdir(exist_ok=True)
            (out / "tokenizer.json").write_text("{}", encoding="utf-8")
        except OSError as error:
            self._log.router("ERROR", replace(SERVER, line=1705), f"Failed to import python tokenizer OSError: {error}")

    def _host(self) -> str:
        try:
            return str(ipaddress.ip_address(self._arguments.hostname))
        except ValueError:
            self._log.router("WARN", replace(SERVER, line=1906), f"Invalid hostname, defaulting to {ANY_ADDRESS}")
            return ANY_ADDRESS

    def _try_prometheus_port(self, host: str) -> None:
        """Bound and closed again: the exporter is built and then dropped, so nothing is ever served there."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, self._arguments.prometheus_port))
                listener.listen(1)
            except OSError as error:
                raise self._panic("failed to build prometheus recorder", error) from None

    def _panic(self, text: str, error: OSError) -> PanicError:
        where = "thread 'main' panicked at router/src/server.rs:1991:10:"
        return PanicError(f"{where}\n{text}: {os.strerror(error.errno or 0)} (os error {error.errno})")

    def _max_connections(self) -> int:
        """Some descriptors are needed for refusals and files."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return min(self._world.setup.max_connections, max(1, soft // _NEVER_MORE_THAN_HALF))


def _show_bug(loop_task: "asyncio.Task[None]") -> None:
    """The engine's loop never ends by itself: without it every test would only see time run out."""
    if not loop_task.cancelled():
        traceback.print_exception(loop_task.exception())
        sys.stderr.flush()
        os._exit(BUG)


def _some(value: int | None) -> str:
    return "None" if value is None else f"Some({value})"
