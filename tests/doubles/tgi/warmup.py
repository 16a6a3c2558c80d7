"""What the warm-up settles, or why it ends the router (V3 lib.rs, connect_backend; V3 main.rs)."""

from dataclasses import dataclass, field

from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.launch import Launch, Line, rust_string
from tests.doubles.tgi.modelfiles import ModelFiles


class RouterError(Exception):
    """The router's `main` returns it; `served` is the line that the shard's answer left in the log."""

    def __init__(self, text: str, served: str = "") -> None:
        super().__init__(text)
        self.served = served

    @property
    def printed(self) -> str:
        return f"Error: {self}"


class PanicError(RouterError):
    """An `unwrap` or `expect` that failed: Rust prints it as it is."""

    @property
    def printed(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """Limits of the running server."""

    kv_tokens: int
    max_input_tokens: int
    max_total_tokens: int
    warnings: tuple[Line, ...] = ()
    defaulted: tuple[Line, ...] = field(default=())


def out_of_memory(launch: Launch) -> RouterError:
    """The words of S models/flash_causal_lm.py, as they come back through gRPC."""
    text = (
        f"Not enough memory to handle {launch.max_batch_prefill_tokens} prefill tokens. "
        "You need to decrease `--max-batch-prefill-tokens`"
    )
    return RouterError(f"Backend(Warmup(Generation({rust_string(text)})))", f"Server error: {text}")


def check_before(arguments: Arguments) -> None:
    """What the router looks at before it asks the shards; raises RouterError."""
    if arguments.max_batch_size == 0:
        raise _argument_error("`max_batch_size` must be > 0")


def warm_up(arguments: Arguments, launch: Launch, files: ModelFiles, kv_tokens: int) -> Warm:
    """Raises RouterError."""
    total = launch.max_total_tokens
    if total is not None and launch.max_input_tokens is None and total < launch.max_batch_prefill_tokens:
        # `max_total - truncate` is below zero in 32 bits without a sign: an allocation of billions of tokens.
        raise out_of_memory(launch)
    capacity = kv_tokens // launch.block_size * launch.block_size
    if total is not None and total > capacity:
        raise RouterError(f"Backend(NotEnoughMemory({total}))")
    defaulted = []
    if total is None:
        total = min(capacity, *_longest(files, capacity))
    max_input = launch.max_input_tokens
    if max_input is None:
        max_input = total - 1
        defaulted.append(Line(level="INFO", text=f"Maximum input tokens defaulted to {max_input}"))
    if launch.max_total_tokens is None:
        defaulted.append(Line(level="INFO", text=f"Maximum total tokens defaulted to {total}"))
    _check(launch, max_input, total, capacity)
    return Warm(
        kv_tokens=capacity,
        max_input_tokens=max_input,
        max_total_tokens=total,
        warnings=() if arguments.max_batch_total_tokens is None else _ignored(capacity),
        defaulted=tuple(defaulted),
    )


def _longest(files: ModelFiles, otherwise: int) -> tuple[int, int]:
    length = files.tokenizer_config.get("model_max_length")
    known = length if isinstance(length, int) and not isinstance(length, bool) else otherwise
    return known, files.number("max_position_embeddings") or otherwise


def _check(launch: Launch, max_input: int, total: int, capacity: int) -> None:
    prefill = launch.max_batch_prefill_tokens
    if max_input >= total:
        raise _argument_error("`max_input_tokens` must be < `max_total_tokens`")
    if max_input > prefill and not launch.prefill_chunking:
        text = f"`max_batch_prefill_tokens` must be >= `max_input_tokens`. Given: {prefill} and {max_input}"
        raise _argument_error(text)
    if prefill > capacity:
        text = f"`max_batch_prefill_tokens` must be <= `max_batch_total_tokens`. Given: {prefill} and {capacity}"
        raise _argument_error(text)


def _argument_error(text: str) -> RouterError:
    return RouterError(f"ArgumentValidation({rust_string(text)})")


def _ignored(capacity: int) -> tuple[Line, ...]:
    return (
        Line(level="WARN", text="`--max-batch-total-tokens` is deprecated for Flash Attention models."),
        Line(level="WARN", text=f"Inferred max batch total tokens: {capacity}"),
    )
