"""What the launcher decides before anything is started (L, fn main; L, resolve_attention; L, find_num_shards)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.modelfiles import ModelFiles

DEFAULT_PREFILL_TOKENS: Final = 4096
DEFAULT_GRAPHS: Final = (1, 2, 4, 8, 16, 32)
BLOCK_SIZES: Final = {"flashinfer": 1, "paged": 16, "flashdecoding": 256, "flashdecoding-ipex": 64}
_FLASHINFER_HEAD_SIZES: Final = frozenset({64, 128, 256})
_NO_GRAPHS: Final = {
    "bitsandbytes": "Bitsandbytes doesn't work with cuda graphs, deactivating them",
    "exl2": "Exl2 doesn't work with cuda graphs, deactivating them",
}


class LauncherError(Exception):
    """`main` returns it: the process ends with code 1 and this, as Rust prints it, on standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the log, still without time."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Numbers that are settled before the shards start. Limits of None are settled by the warm-up."""

    num_shard: int
    attention: str
    quantize: str | None
    cuda_graphs: tuple[int, ...]
    max_input_tokens: int | None
    max_total_tokens: int | None
    max_batch_prefill_tokens: int
    lines: tuple[Line, ...] = ()

    @property
    def block_size(self) -> int:
        return BLOCK_SIZES[self.attention]

    @property
    def prefill_chunking(self) -> bool:
        return self.attention in {"flashinfer", "flashdecoding"}


def argument_error(text: str) -> LauncherError:
    return LauncherError(f"ArgumentValidation({rust_string(text)})")


def rust_string(text: str) -> str:
    """`{:?}` of a string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def plan(arguments: Arguments, environ: Mapping[str, str], files: ModelFiles, gpus: int | None) -> Launch:
    """In the launcher's order, since the first error is the one that is told. Raises LauncherError.

    `gpus` is what nvidia-smi would count, None where there is none.
    """
    attention, prefix_caching = _attention(arguments, environ, files)
    lines = [Line(level="INFO", text=f"Using attention {attention} - Prefix caching {prefix_caching}")]
    num_shard = find_num_shards(arguments, environ, gpus)
    if num_shard > 1:
        if arguments.quantize == "exl2":
            raise argument_error("Sharding is currently not supported with `exl2` quantization")
        lines.append(Line(level="INFO", text=f"Sharding model on {num_shard} processes"))
    max_input = _max_input_tokens(arguments)
    prefill = arguments.max_batch_prefill_tokens
    if prefill is None:
        prefill = min(DEFAULT_PREFILL_TOKENS, files.number("max_position_embeddings") or DEFAULT_PREFILL_TOKENS)
        lines.append(Line(level="INFO", text=f"Default `max_batch_prefill_tokens` to {prefill}"))
    total = arguments.max_total_tokens
    if max_input is not None and total is not None and max_input >= total:
        raise argument_error(f"`max_input_tokens`({max_input}) must be < `max_total_tokens`({total})")
    quantize = arguments.quantize or files.quantization
    graphs, graph_line = _cuda_graphs(arguments.cuda_graphs, quantize)
    lines += graph_line
    launch = Launch(
        num_shard=num_shard,
        attention=attention,
        quantize=quantize,
        cuda_graphs=graphs,
        max_input_tokens=max_input,
        max_total_tokens=total,
        max_batch_prefill_tokens=prefill,
    )
    return replace(launch, lines=(*lines, *_last_checks(arguments)))


def _attention(arguments: Arguments, environ: Mapping[str, str], files: ModelFiles) -> tuple[str, str]:
    attention = environ.get("ATTENTION")
    caching = environ.get("PREFIX_CACHING")
    fits = files.head_size in _FLASHINFER_HEAD_SIZES
    if attention is None:
        attention = "flashinfer" if fits else "flashdecoding"
    if attention not in BLOCK_SIZES:
        raise LauncherError(f"Invalid attention was specified :`{attention}`")
    if caching is None:
        caching = "true" if fits and attention != "paged" and arguments.lora_adapters is None else "0"
    return attention, caching


def find_num_shards(arguments: Arguments, environ: Mapping[str, str], gpus: int | None) -> int:
    """Raises LauncherError."""
    match arguments.sharded, arguments.num_shard:
        case True, None:
            devices = _devices(environ, gpus)
            if devices is None or devices <= 1:
                text = f"`sharded` is true but only found {devices or 0} CUDA devices"
                raise LauncherError(f"NotEnoughCUDADevices({rust_string(text)})")
            return devices
        case True, int(wanted) if wanted <= 1:
            raise argument_error("`sharded` is true but `num_shard` <= 1")
        case False, None:
            return 1
        case None, None:
            return _devices(environ, gpus) or 1
        case _, int(wanted) if wanted < 1:
            raise argument_error("`num_shard` cannot be < 1")
        case _, int(wanted):
            return wanted
    raise AssertionError("all cases are above")


def _devices(environ: Mapping[str, str], gpus: int | None) -> int | None:
    """Commas are counted; `all` and `void` are asked of nvidia-smi, since 3.3.7."""
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"):
        if name in environ:
            return gpus if environ[name] in {"all", "void"} else environ[name].count(",") + 1
    return None


def _max_input_tokens(arguments: Arguments) -> int | None:
    tokens, length = arguments.max_input_tokens, arguments.max_input_length
    if tokens is not None and length is not None:
        raise argument_error(
            f"Both `max_input_tokens` ({tokens}) and `max_input_length` ({length}) are set. "
            "Please define only `max_input_tokens` as `max_input_length is deprecated for naming consistency."
        )
    return length if tokens is None else tokens


def _cuda_graphs(asked: tuple[int, ...] | None, quantize: str | None) -> tuple[tuple[int, ...], list[Line]]:
    if asked is not None:
        return tuple(size for size in asked if size > 0), []
    if quantize in _NO_GRAPHS:
        return (), [Line(level="WARN", text=_NO_GRAPHS[quantize])]
    return DEFAULT_GRAPHS, [Line(level="INFO", text=f"Using default cuda graphs {list(DEFAULT_GRAPHS)}")]


def _last_checks(arguments: Arguments) -> list[Line]:
    if arguments.validation_workers == 0:
        raise argument_error("`validation_workers` must be > 0")
    lines = []
    if arguments.trust_remote_code:
        text = f"`trust_remote_code` is set. Trusting that model `{arguments.model_id}` do not contain malicious code."
        lines.append(Line(level="WARN", text=text))
    total, batch = arguments.max_total_tokens, arguments.max_batch_total_tokens
    if total is not None and batch is not None and total > batch:
        raise argument_error(f"`max_total_tokens` must be <= `max_batch_total_tokens`. Given: {total} and {batch}")
    if arguments.ngrok and arguments.ngrok_authtoken is None:
        raise argument_error("`ngrok-authtoken` must be set when using ngrok tunneling")
    if arguments.ngrok and arguments.ngrok_edge is None:
        raise argument_error("`ngrok-edge` must be set when using ngrok tunneling")
    return lines
