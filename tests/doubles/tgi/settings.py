"""What the double itself can be told: how large and fast it pretends to be, and which faults it has.

All of it comes from the environment as `DOUBLE_<NAME>`; faults can also be set while it runs (control.py).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Self, TypeVar

PREFIX: Final = "DOUBLE_"
MOST_MEMORY_MIB: Final = 4096  # a mistake must not take the machine down
LOAD_FAULTS: Final = ("", "download", "shard", "oom", "hang")


class SettingError(Exception):
    """A setting of the double has no such name or no such value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Fixed when the process starts."""

    load_seconds: float = 0.0  # the shards' start; the port is closed for so long
    warmup_seconds: float = 0.0
    kv_tokens: int = 65536  # what the warm-up finds room for
    gpus: int = 0  # 0: as many as are asked for
    weights: bool = False  # true: the model's directory may be empty, or absent
    token_seconds: float = 0.02  # one decode step, of the whole batch
    prefill_seconds: float = 0.0  # for each 1000 prompt tokens
    answer_tokens: int = 256  # after so many tokens, the last included, every answer ends by itself
    keepalive_seconds: float = 15.0  # axum's default: a comment in a stream that is silent for so long
    max_connections: int = 4096  # further ones get a 503 and are closed
    control_port: int = 0  # 0: no control
    control_host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Can change at any time. The defaults are a healthy engine."""

    load: str = ""  # while loading: download, shard (crash), oom (warm-up), hang
    health_delay_seconds: float = 0.0  # /health answers so late
    prefill_delay_seconds: float = 0.0  # every prefill takes so much longer, and /health waits for it
    token_delay_seconds: float = 0.0  # every decode step takes so much longer
    hang: bool = False  # the shards' loop stops: no tokens, no answer from /health
    forward_failures: int = 0  # so many next forward passes fail; -1: all
    failure_text: str = "CUDA out of memory."
    incomplete_after_tokens: int = 0  # an answer ends without its last message after so many tokens
    cut_after_tokens: int = 0  # a stream's connection is cut after so many events
    stall_after_tokens: int = 0  # a stream goes silent after so many events
    memory_mib: int = 0  # so much memory is used in addition; beyond the container's limit the kernel kills it
    crash: str = ""  # shard, oom (a shard is killed), exit:N, signal:N
    crash_after_seconds: float = 0.0  # counted from readiness, or from when it was set
    ignore_sigterm: bool = False


T = TypeVar("T", Setup, Faults)


def from_environment(kind: type[T], environ: Mapping[str, str]) -> T:
    """Raises SettingError."""
    values = {
        field.name: environ[variable] for field in fields(kind) if (variable := PREFIX + field.name.upper()) in environ
    }
    return changed(kind(), {name: _typed(getattr(kind(), name), name, text) for name, text in values.items()})


def changed(old: T, new: Mapping[str, Any]) -> T:
    """`old` with the named values; raises SettingError, and then nothing has changed."""
    known = asdict(old)
    for name, value in new.items():
        if name not in known:
            raise SettingError(f"there is no setting {name}")
        if not _fits(known[name], value):
            raise SettingError(f"{name} must be like {known[name]!r}, not {value!r}")
    result = replace(old, **{name: type(known[name])(value) for name, value in new.items()})
    if isinstance(result, Faults):
        _check(result)
    return result


def _fits(example: object, value: object) -> bool:
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    return isinstance(value, int | float if isinstance(example, float) else type(example))


def _typed(example: object, name: str, text: str) -> object:
    if isinstance(example, bool):
        if text.lower() not in {"true", "false", "1", "0"}:
            raise SettingError(f"{name} must be true or false, not {text!r}")
        return text.lower() in {"true", "1"}
    try:
        return type(example)(text)  # type: ignore[call-arg]  # int, float and str take a string
    except ValueError:
        raise SettingError(f"{name} must be like {example!r}, not {text!r}") from None


def _check(faults: Faults) -> None:
    if faults.load not in LOAD_FAULTS:
        raise SettingError(f"load must be one of {LOAD_FAULTS}, not {faults.load!r}")
    if not 0 <= faults.memory_mib <= MOST_MEMORY_MIB:
        raise SettingError(f"memory_mib must be 0 to {MOST_MEMORY_MIB}, not {faults.memory_mib}")
    if faults.crash:
        Crash.of(faults.crash)


@dataclass(frozen=True, slots=True)
class Crash:
    """`shard` and `oom` end the launcher in its own way; the others end the process at once."""

    kind: str
    number: int = 0

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises SettingError."""
        kind, _, number = text.partition(":")
        if kind in {"shard", "oom"} and not number:
            return cls(kind)
        if kind in {"exit", "signal"} and number.isascii() and number.isdigit() and 0 < int(number) < 256:
            return cls(kind, int(number))
        raise SettingError(f"crash must be shard, oom, exit:N or signal:N, not {text!r}")
