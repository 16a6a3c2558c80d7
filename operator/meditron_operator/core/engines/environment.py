"""Environment variables of the engine that only the operator may set.

TGI reads every command-line flag from the environment as well (clap), so a variable here is a flag.
"""

from typing import Final

# What `tgi.launch` sets itself; a test holds the two equal.
SET_BY_OPERATOR: Final = frozenset(
    {
        "ATTENTION",
        "CUDA_MEMORY_FRACTION",
        "DO_NOT_TRACK",
        "DTYPE",
        "GRACEFUL_TERMINATION_TIMEOUT",
        "HF_HOME",
        "HF_HUB_DISABLE_TELEMETRY",
        "HF_HUB_OFFLINE",
        "HOME",
        "KV_CACHE_DTYPE",
        "MAX_BATCH_PREFILL_TOKENS",
        "MAX_CONCURRENT_REQUESTS",
        "MAX_INPUT_TOKENS",
        "MAX_TOTAL_TOKENS",
        "MODEL_ID",
        "NUM_SHARD",
        "PORT",
        "PREFILL_CHUNKING",
        "PREFIX_CACHING",
        "QUANTIZE",
        "TGI_WIGGLE_ROOM",
        "TRANSFORMERS_OFFLINE",
        "TRITON_CACHE_DIR",
        "USAGE_STATS",
    }
)

# Never set by anybody, because each would undo a promise of the operator:
REFUSED: Final = frozenset(
    {
        "API_KEY",  # ends up on the router's command line, where every process can read it
        "CUDA_VISIBLE_DEVICES",  # these four would give a pod other GPUs than it was planned and paid for
        "HIP_VISIBLE_DEVICES",
        "NVIDIA_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES",
        "ENABLE_PREFILL_LOGPROBS",  # takes GPU memory that sizing doesn't know of
        "HF_API_TOKEN",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",  # a token in a spec is a token in etcd, in Git and in every `kubectl get -o yaml`
        "HOSTNAME",  # the address that TGI listens on
        "HUGGINGFACE_HUB_CACHE",  # beside HF_HOME it breaks offline use
        "LD_AUDIT",  # other code than the image's
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "LOG_LEVEL",  # at debug TGI writes prompts and answers, patients' data, to its log
        "LORA_ADAPTERS",  # with CUDA graphs TGI leaves adapters out in silence; they need their own field
        "MASTER_ADDR",  # the shards of a replica talk inside the pod only
        "MASTER_PORT",
        "MAX_BATCH_TOTAL_TOKENS",  # ignored by TGI for flash models: it would look like a limit and be none
        "MAX_INPUT_LENGTH",  # an alias: TGI refuses to start when both spellings are set
        "NGROK_AUTHTOKEN",
        "OTLP_ENDPOINT",  # sends traces out of the namespace
        "PROMETHEUS_PORT",  # TGI opens it for a moment and never serves it
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "REVISION",  # with a local path the router asks the Hub after all
        "SHARDED",
        "SPECULATE",  # turns chunked prefill off, which sizing counts on
        "TRUST_REMOTE_CODE",
        "WEIGHTS_CACHE_OVERRIDE",
    }
)

RESERVED_ENVIRONMENT: Final = SET_BY_OPERATOR | REFUSED
