"""The arguments that the double acts on, typed; and all of them as Rust prints a struct for debugging."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

from tests.doubles.tgi.commandline import Value, read
from tests.doubles.tgi.flags import FLAGS, Flag, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """L, struct Args. What is left out changes nothing that a client or an operator can see of the double."""

    model_id: str
    revision: str | None
    validation_workers: int
    sharded: bool | None
    num_shard: int | None
    quantize: str | None
    speculate: int | None
    dtype: str | None
    trust_remote_code: bool
    max_concurrent_requests: int
    max_best_of: int
    max_stop_sequences: int
    max_top_n_tokens: int
    max_input_tokens: int | None
    max_input_length: int | None
    max_total_tokens: int | None
    waiting_served_ratio: float
    max_batch_prefill_tokens: int | None
    max_batch_total_tokens: int | None
    max_waiting_tokens: int
    max_batch_size: int | None
    cuda_graphs: tuple[int, ...] | None
    hostname: str
    port: int
    prometheus_port: int
    shard_uds_path: str
    cuda_memory_fraction: float
    json_output: bool
    cors_allow_origin: tuple[str, ...]
    api_key: str | None
    ngrok: bool
    ngrok_authtoken: str | None
    ngrok_edge: str | None
    tokenizer_config_path: str | None
    disable_grammar_support: bool
    max_client_batch_size: int
    lora_adapters: str | None
    payload_limit: int
    enable_prefill_logprobs: bool
    graceful_termination_timeout: int
    debug: str  # every flag, as `{:#?}` writes it

    @classmethod
    def of(cls, argv: Sequence[str], environ: Mapping[str, str]) -> Self:
        """Raises CommandLineError."""
        values = read(argv, environ)
        known = {field.name: values[field.name] for field in fields(cls) if field.name != "debug"}
        return cls(**known, debug=_debug(values))  # type: ignore[arg-type]  # flags.py gives each its kind


def _debug(values: Mapping[str, Value]) -> str:
    lines = "".join(f"    {flag.field}: {_pretty(flag, values[flag.field])},\n" for flag in FLAGS)
    return f"Args {{\n{lines}}}"


def _pretty(flag: Flag, value: Value) -> str:
    if value is None:
        return "None"
    text = _list(value) if isinstance(value, tuple) else _plain(flag, value)
    optional = flag.default is None and flag.kind not in {Kind.SWITCH, Kind.TEXTS}
    if not optional:
        return text
    inner = text.replace("\n", "\n    ")
    return f"Some(\n        {inner},\n    )"


def _list(values: tuple[int, ...] | tuple[str, ...]) -> str:
    if not values:
        return "[]"
    return "[\n" + "".join(f"        {_plain(None, value)},\n" for value in values) + "    ]"


def _plain(flag: Flag | None, value: bool | float | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if flag is not None and flag.kind is Kind.CHOICE:
        return "".join(part.capitalize() for part in str(value).split("-"))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
