"""Puts a running server together from what the launcher and the warm-up decided."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.commandline import VERSION
from tests.doubles.tgi.engine import Engine, Parts
from tests.doubles.tgi.faultbox import FaultBox
from tests.doubles.tgi.infer import Infer, Permits
from tests.doubles.tgi.launch import Launch
from tests.doubles.tgi.logs import Log
from tests.doubles.tgi.metrics import Metrics
from tests.doubles.tgi.modelfiles import ModelFiles, read_json
from tests.doubles.tgi.scheduler import Scheduler, Size
from tests.doubles.tgi.service import Service
from tests.doubles.tgi.settings import Setup
from tests.doubles.tgi.validation import Limits
from tests.doubles.tgi.warmup import Warm

TEXT_GENERATION: Final = "text-generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a process takes from outside: the environment, clocks, chance, and where it logs."""

    environ: Mapping[str, str]
    log: Log
    faults: FaultBox
    setup: Setup
    clock: Callable[[], float]  # monotonic seconds
    wall: Callable[[], float]  # Unix time in seconds
    new_seed: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubInfo:
    """What the router learns of the model from the Hub; nothing for a local directory or when offline."""

    sha: str | None
    pipeline_tag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server before it listens."""

    service: Service
    engine: Engine
    scheduler: Scheduler
    permits: Permits


def uses_hub(arguments: Arguments, files: ModelFiles) -> bool:
    """A revision makes the router ask the Hub even for a local directory (R server.rs, fn run)."""
    return arguments.revision is not None or not files.is_directory


def hub_info(arguments: Arguments, files: ModelFiles, environ: Mapping[str, str]) -> HubInfo:
    """Invented for an id of the Hub; a local path is no id there, so the question about it fails."""
    if files.is_directory or environ.get("HF_HUB_OFFLINE") == "1":
        return HubInfo(sha=None, pipeline_tag=None)
    named = f"{arguments.model_id}@{arguments.revision or 'main'}"
    return HubInfo(sha=hashlib.sha256(named.encode()).hexdigest()[:40], pipeline_tag=TEXT_GENERATION)


def has_chat_template(arguments: Arguments, files: ModelFiles) -> bool:
    """--tokenizer-config-path replaces the model's own; one asked of the Hub for a local path is not found."""
    if arguments.tokenizer_config_path is not None:
        return bool(read_json(Path(arguments.tokenizer_config_path)).get("chat_template"))
    if uses_hub(arguments, files):
        return False
    return bool(files.chat_template_file or files.tokenizer_config.get("chat_template"))


def adapter_names(arguments: Arguments) -> frozenset[str]:
    """`hub/id`, `hub/id@revision` or `name=/path`: the part before either sign."""
    listed = (arguments.lora_adapters or "").split(",")
    return frozenset(one.strip().split("=")[0].split("@")[0] for one in listed if one.strip())


def running(world: World, arguments: Arguments, launch: Launch, warm: Warm, files: ModelFiles) -> Running:
    hub = hub_info(arguments, files, world.environ)
    metrics = Metrics(warm.max_input_tokens, warm.max_total_tokens)
    scheduler = Scheduler(_size(arguments, launch, warm))
    engine = Engine(
        Parts(scheduler=scheduler, metrics=metrics, faults=world.faults, setup=world.setup, clock=world.clock)
    )
    permits = Permits(arguments.max_concurrent_requests)
    infer = Infer(
        engine=engine,
        permits=permits,
        limits=_limits(arguments, launch, warm, world.setup),
        metrics=metrics,
        log=world.log,
        clock=world.clock,
        new_seed=world.new_seed,
    )
    service = Service(
        infer=infer,
        engine=engine,
        metrics=metrics,
        faults=world.faults,
        info=_info(arguments, warm, hub),
        full_text_by_default=hub.pipeline_tag in {None, TEXT_GENERATION},
        has_chat_template=has_chat_template(arguments, files),
        max_client_batch_size=arguments.max_client_batch_size,
        payload_limit=arguments.payload_limit,
        compute_type=world.environ.get("COMPUTE_TYPE", "gpu+optimized"),
        keepalive_seconds=world.setup.keepalive_seconds,
        wall=world.wall,
    )
    return Running(service=service, engine=engine, scheduler=scheduler, permits=permits)


def _size(arguments: Arguments, launch: Launch, warm: Warm) -> Size:
    return Size(
        kv_tokens=warm.kv_tokens,
        block_size=launch.block_size,
        max_batch_prefill_tokens=launch.max_batch_prefill_tokens,
        max_batch_size=arguments.max_batch_size,
        max_waiting_tokens=arguments.max_waiting_tokens,
        waiting_served_ratio=arguments.waiting_served_ratio,
        prefill_chunking=launch.prefill_chunking and not arguments.speculate,
    )


def _limits(arguments: Arguments, launch: Launch, warm: Warm, setup: Setup) -> Limits:
    adapters = adapter_names(arguments)
    return Limits(
        max_best_of=arguments.max_best_of,
        max_stop_sequences=arguments.max_stop_sequences,
        max_top_n_tokens=arguments.max_top_n_tokens,
        max_input_tokens=warm.max_input_tokens,
        max_total_tokens=warm.max_total_tokens,
        grammar_support=not arguments.disable_grammar_support,
        prefill_logprobs=arguments.enable_prefill_logprobs,
        answer_tokens=setup.answer_tokens,
        adapters=adapters,
        graphs_drop_adapters=bool(adapters and launch.cuda_graphs),
    )


def _info(arguments: Arguments, warm: Warm, hub: HubInfo) -> dict[str, Any]:
    return {
        "model_id": arguments.model_id,
        "model_sha": hub.sha,
        "model_pipeline_tag": hub.pipeline_tag,
        "max_concurrent_requests": arguments.max_concurrent_requests,
        "max_best_of": arguments.max_best_of,
        "max_stop_sequences": arguments.max_stop_sequences,
        "max_input_tokens": warm.max_input_tokens,
        "max_total_tokens": warm.max_total_tokens,
        "validation_workers": arguments.validation_workers,
        "max_client_batch_size": arguments.max_client_batch_size,
        "router": "text-generation-router",
        "version": VERSION,
        "sha": None,
        "docker_label": None,
    }
