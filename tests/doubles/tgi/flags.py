"""The launcher's flags, in its order (L, struct Args). Each can also come from the environment, as clap does it."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

USIZE_MAX: Final = 2**64 - 1


class Kind(Enum):
    """How clap reads a value."""

    TEXT = "text"
    SWITCH = "switch"  # takes no value on the command line, `true` or `false` in the environment
    BOOL = "bool"
    USIZE = "usize"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    F32 = "f32"
    CHOICE = "choice"
    SIZES = "sizes"  # separated by commas
    TEXTS = "texts"  # may be repeated


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. Without a default it is optional, unless its kind has an empty value of its own."""

    name: str
    kind: Kind
    default: str | None = None
    short: str = ""
    choices: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        return self.field.upper()

    @property
    def shown(self) -> str:
        """As clap's errors name it."""
        return f"--{self.name}" if self.kind is Kind.SWITCH else f"--{self.name} <{self.variable}>"


QUANTIZATIONS: Final = (
    "awq",
    "compressed-tensors",
    "eetq",
    "exl2",
    "gptq",
    "marlin",
    "bitsandbytes",
    "bitsandbytes-nf4",
    "bitsandbytes-fp4",
    "fp8",
)

FLAGS: Final = (
    Flag("model-id", Kind.TEXT, "bigscience/bloom-560m"),
    Flag("revision", Kind.TEXT),
    Flag("validation-workers", Kind.USIZE, "2"),
    Flag("sharded", Kind.BOOL),
    Flag("num-shard", Kind.USIZE),
    Flag("quantize", Kind.CHOICE, choices=QUANTIZATIONS),
    Flag("speculate", Kind.USIZE),
    Flag("dtype", Kind.CHOICE, choices=("float16", "bfloat16")),
    Flag("kv-cache-dtype", Kind.CHOICE, choices=("fp8_e4m3fn", "fp8_e5m2")),
    Flag("trust-remote-code", Kind.SWITCH),
    Flag("max-concurrent-requests", Kind.USIZE, "128"),
    Flag("max-best-of", Kind.USIZE, "2"),
    Flag("max-stop-sequences", Kind.USIZE, "4"),
    Flag("max-top-n-tokens", Kind.U32, "5"),
    Flag("max-input-tokens", Kind.USIZE),
    Flag("max-input-length", Kind.USIZE),
    Flag("max-total-tokens", Kind.USIZE),
    Flag("waiting-served-ratio", Kind.F32, "0.3"),
    Flag("max-batch-prefill-tokens", Kind.U32),
    Flag("max-batch-total-tokens", Kind.U32),
    Flag("max-waiting-tokens", Kind.USIZE, "20"),
    Flag("max-batch-size", Kind.USIZE),
    Flag("cuda-graphs", Kind.SIZES),
    Flag("hostname", Kind.TEXT, "0.0.0.0"),  # noqa: S104 - TGI's own default
    Flag("port", Kind.U16, "3000", short="p"),
    Flag("prometheus-port", Kind.U16, "9000"),
    Flag("shard-uds-path", Kind.TEXT, "/tmp/text-generation-server"),  # noqa: S108 - TGI's own default
    Flag("master-addr", Kind.TEXT, "localhost"),
    Flag("master-port", Kind.USIZE, "29500"),
    Flag("huggingface-hub-cache", Kind.TEXT),
    Flag("weights-cache-override", Kind.TEXT),
    Flag("disable-custom-kernels", Kind.SWITCH),
    Flag("cuda-memory-fraction", Kind.F32, "1.0"),
    Flag("rope-scaling", Kind.CHOICE, choices=("linear", "dynamic")),
    Flag("rope-factor", Kind.F32),
    Flag("json-output", Kind.SWITCH),
    Flag("otlp-endpoint", Kind.TEXT),
    Flag("otlp-service-name", Kind.TEXT, "text-generation-inference.router"),
    Flag("cors-allow-origin", Kind.TEXTS),
    Flag("api-key", Kind.TEXT),
    Flag("watermark-gamma", Kind.F32),
    Flag("watermark-delta", Kind.F32),
    Flag("ngrok", Kind.SWITCH),
    Flag("ngrok-authtoken", Kind.TEXT),
    Flag("ngrok-edge", Kind.TEXT),
    Flag("tokenizer-config-path", Kind.TEXT),
    Flag("disable-grammar-support", Kind.SWITCH),
    Flag("env", Kind.SWITCH, short="e"),
    Flag("max-client-batch-size", Kind.USIZE, "4"),
    Flag("lora-adapters", Kind.TEXT),
    Flag("usage-stats", Kind.CHOICE, "on", choices=("on", "off", "no-stack")),
    Flag("payload-limit", Kind.USIZE, "2000000"),
    Flag("enable-prefill-logprobs", Kind.SWITCH),
    Flag("graceful-termination-timeout", Kind.U64, "90"),
)
