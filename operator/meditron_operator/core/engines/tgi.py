"""Text-generation-inference 3.3.7: from a plan to its environment, probes and folders.

The file and line references are to the TGI repository at tag v3.3.7.
"""

import math
from typing import Final

from meditron_operator.core.catalog.quantization import Quantization
from meditron_operator.core.engines.base import HttpProbe, Launch, Scratch, Sized
from meditron_operator.core.engines.tgi_log import read_line
from meditron_operator.core.sizing import Demand, KvCacheDtype, Plan, checkpoint_bytes
from meditron_operator.core.sizing.attention import attention_of
from meditron_operator.names import ENGINE_PORT

NAME: Final = "tgi"
MODEL_MOUNT: Final = "/model"
GIB: Final = 2**30

READ_BYTES_PER_SECOND: Final = 400_000_000  # TGI maps its files; from a cold page cache 0.4 GB/s was measured
LOAD_SECONDS: Final = 600  # never less: NCCL, kernels, warm-up and CUDA graphs come on top of reading
PROBE_PERIOD_SECONDS: Final = 10

# The shards answer /health between two steps only (server.py Prefill and Decode block the loop), so a probe
# has to outlast the longest prefill; and one slow answer must not take a loaded model away.
READINESS: Final = HttpProbe(path="/health", period_seconds=5, timeout_seconds=15, failure_threshold=3)
LIVENESS: Final = HttpProbe(path="/health", period_seconds=30, timeout_seconds=60, failure_threshold=5)

# On SIGTERM the launcher waits for the router up to its own limit, then ends the shards (launcher main.rs:2015).
TERMINATION_MARGIN_SECONDS: Final = 15

OUT_BYTES: Final = GIB

# A request holds its permit for its whole life; twice the planned streams may wait, the rest get 429 at once.
QUEUE_FACTOR: Final = 2
MIN_CONCURRENT_REQUESTS: Final = 4


def launch(sized: Sized) -> Launch:
    """How to run one replica of `sized`."""
    budget = startup_budget_seconds(sized)
    grace = sized.spec.shutdown.grace_seconds
    return Launch(
        container=NAME,
        port=ENGINE_PORT,
        environment=_environment(sized),
        model_mount=MODEL_MOUNT,
        scratch=_scratch(sized.plan),
        shared_memory_path="/dev/shm",  # noqa: S108 - NCCL's fallback when the cards can't reach each other
        startup=HttpProbe(
            path="/health",
            period_seconds=PROBE_PERIOD_SECONDS,
            timeout_seconds=5,
            failure_threshold=math.ceil(budget / PROBE_PERIOD_SECONDS),
        ),
        readiness=READINESS,
        liveness=LIVENESS,
        startup_budget_seconds=budget,
        termination_grace_seconds=grace + TERMINATION_MARGIN_SECONDS,
        read_line=read_line,
    )


def startup_budget_seconds(sized: Sized) -> int:
    """Seconds that a replica may take to load before it counts as failed."""
    return LOAD_SECONDS + math.ceil(checkpoint_bytes(sized.demand) / READ_BYTES_PER_SECOND)


def _scratch(plan: Plan) -> tuple[Scratch, ...]:
    """The writable folders; together they may hold what the plan asks the node for."""
    return (
        # sockets of the shards, torch, compiled kernels
        Scratch(name="tmp", path="/tmp", limit_bytes=plan.ephemeral_storage_bytes - OUT_BYTES),  # noqa: S108
        # the router saves the tokenizer into its working directory (server.rs:1456)
        Scratch(name="out", path="/usr/src/out", limit_bytes=OUT_BYTES),
    )


def sizing_environment(demand: Demand, plan: Plan) -> dict[str, str]:
    """What a plan means to the launcher, whoever starts it."""
    environment = {
        "NUM_SHARD": str(plan.gpus_per_replica),
        "CUDA_MEMORY_FRACTION": f"{plan.memory_fraction:g}",
        "TGI_WIGGLE_ROOM": f"{plan.wiggle_room:g}",
    }
    if demand.quantization is not Quantization.NONE:
        environment["QUANTIZE"] = demand.quantization.value
    if plan.dtype is not None:  # with gptq or awq DTYPE aborts the shard (cli.py:110)
        environment["DTYPE"] = plan.dtype.value
    if demand.kv_cache_dtype is not KvCacheDtype.AUTO:
        environment["KV_CACHE_DTYPE"] = demand.kv_cache_dtype.value
    return environment | _limits(demand, plan) | _attention(demand) | _adapters(demand)


def _environment(sized: Sized) -> tuple[tuple[str, str], ...]:
    """Sorted, so that equal input gives byte-equal manifests."""
    planned = sizing_environment(sized.demand, sized.plan)
    parts = (planned, _process(sized), _privacy(sized), sized.spec.engine.extra_env)
    return tuple(sorted({name: value for part in parts for name, value in part.items()}.items()))


def _process(sized: Sized) -> dict[str, str]:
    source = sized.spec.model.source.persistent_volume_claim or sized.spec.model.source.image
    assert source is not None  # noqa: S101 - the spec holds exactly one
    return {
        "MODEL_ID": f"{MODEL_MOUNT}/{source.path}".rstrip("/"),
        "PORT": str(ENGINE_PORT),
        "HOME": "/tmp",  # noqa: S108 - a non-root user has no home in the image
        "HF_HOME": "/tmp/huggingface",  # noqa: S108
        "TRITON_CACHE_DIR": "/tmp/triton",  # noqa: S108
        "GRACEFUL_TERMINATION_TIMEOUT": str(sized.spec.shutdown.grace_seconds),
    }


def _limits(demand: Demand, plan: Plan) -> dict[str, str]:
    """Input, total and prefill always together: TGI subtracts one from the other unsigned (grpc_client.rs:109)."""
    return {
        "MAX_INPUT_TOKENS": str(demand.context_tokens - 1),
        "MAX_TOTAL_TOKENS": str(demand.context_tokens),
        "MAX_BATCH_PREFILL_TOKENS": str(plan.max_batch_prefill_tokens),
        "MAX_CONCURRENT_REQUESTS": str(max(MIN_CONCURRENT_REQUESTS, QUEUE_FACTOR * demand.concurrency)),
    }


def _attention(demand: Demand) -> dict[str, str]:
    """Where sizing counts on paged attention TGI has to be told: by itself it looks at the head size only
    (launcher main.rs:131), and prefix caching asserts on paged."""
    if attention_of(demand.model, demand.gpu).name != "paged":
        return {}
    return {"ATTENTION": "paged", "PREFIX_CACHING": "0", "PREFILL_CHUNKING": "0"}


def _adapters(demand: Demand) -> dict[str, str]:
    """CUDA graphs are captured without adapters, so decoding would leave them out in silence (pull request 2180)."""
    return {} if demand.adapters is None else {"CUDA_GRAPHS": "0", "PREFIX_CACHING": "0"}


def _privacy(sized: Sized) -> dict[str, str]:
    telemetry = {"USAGE_STATS": "off", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if sized.spec.offline else {}
    return telemetry | offline
