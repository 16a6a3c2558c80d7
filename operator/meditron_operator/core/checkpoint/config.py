"""From a `config.json` to a model's shape and packing.

What TGI 3.3.7 does with the same file decides: models/__init__.py (architectures), utils/quantization.py
(defaults of `sym` and `desc_act`), custom_modeling/flash_llama_modeling.py (heads, biases).
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from meditron_operator.core.catalog.models import ModelShape
from meditron_operator.core.catalog.quantization import Packing, Quantization
from meditron_operator.core.checkpoint.errors import CheckpointError
from meditron_operator.core.checkpoint.text import parse_object

LLAMA_SHAPED: Final = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM"}
"""`model_type` and architecture of what TGI runs by its Llama code."""

_NEVER_QUANTIZED: Final = frozenset({"lm_head", "model.lm_head", "embed_tokens", "model.embed_tokens"})
_LONGEST_NAME: Final = 80

# Far above any model there is, and small enough that every sum stays printable.
_Count = Annotated[int, Field(strict=True, ge=1, le=65_536)]
_Width = Annotated[int, Field(strict=True, ge=1, le=2**24)]
_Positions = Annotated[int, Field(strict=True, ge=2, le=2**31)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a checkpoint says of itself."""

    shape: ModelShape
    quantization: Quantization | None
    """What its weights are packed in; None: 16 or 32 bit, to be quantized while loading or not at all."""
    packing: Packing | None


class _Quantized(BaseModel):
    """`quantization_config`; awq's own tool writes `w_bit` and `q_group_size`."""

    model_config = ConfigDict(extra="ignore")

    quant_method: str = Field(max_length=64)
    bits: int | None = Field(default=None, ge=1, le=16, validation_alias=AliasChoices("bits", "w_bit"), strict=True)
    group_size: int | None = Field(
        default=None, ge=-1, le=2**16, validation_alias=AliasChoices("group_size", "q_group_size"), strict=True
    )
    desc_act: bool = False
    sym: bool = False  # absent counts as asymmetric in TGI
    zero_point: bool = True
    checkpoint_format: str | None = Field(default=None, max_length=64)
    modules_to_not_convert: list[str] | None = None


class _Config(BaseModel):
    """The keys of config.json that a size follows from."""

    model_config = ConfigDict(extra="ignore")

    model_type: str | None = None
    architectures: list[str] | None = None
    vocab_size: _Width
    hidden_size: _Width
    intermediate_size: _Width
    num_hidden_layers: _Count
    num_attention_heads: _Count
    num_key_value_heads: _Count | None = None
    head_dim: _Count | None = None
    max_position_embeddings: _Positions
    sliding_window: _Positions | None = None
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    dtype: Literal["float32", "float16", "bfloat16"] | None = Field(
        default=None, validation_alias=AliasChoices("torch_dtype", "dtype")
    )
    quantization_config: _Quantized | None = None


def read_config(name: str, text: str, quantize_config: str | None = None) -> Facts:
    """The facts in the text of a config.json; `name` stands in messages and is the shape's name.

    `quantize_config` is the text of AutoGPTQ's own file beside it, which counts where config.json says nothing of
    quantization. Raises CheckpointError, in one line, for whatever is not a Llama-shaped config.
    """
    try:
        raw = parse_object(text)
        if quantize_config is not None and raw.get("quantization_config") is None:
            raw["quantization_config"] = {"quant_method": Quantization.GPTQ} | parse_object(quantize_config)
        _require_llama_shape(raw)
        config = _Config.model_validate(raw)
        quantization, packing = _packing(config.quantization_config)
        return Facts(shape=_shape(name, config), quantization=quantization, packing=packing)
    except ValidationError as error:
        raise CheckpointError(f"{name}: {_line(error)}") from None
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from None


def _require_llama_shape(raw: dict[str, Any]) -> None:
    """Asked first: another kind of model has other keys, and a list of what it lacks would help nobody."""
    kind, architectures = raw.get("model_type"), raw.get("architectures")
    named = architectures if isinstance(architectures, list) and architectures else [LLAMA_SHAPED.get(str(kind))]
    if all(architecture in LLAMA_SHAPED.values() for architecture in named):
        return
    what = _short(architectures if architectures else kind)
    known = " or ".join(LLAMA_SHAPED.values())
    raise CheckpointError(f"not Llama-shaped: its architecture is {what}, sized are {known}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_NAME else text[:_LONGEST_NAME] + "…"


def _line(error: ValidationError) -> str:
    """The first mistake; the rest often follows from it."""
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    where = ".".join(map(str, first["loc"])) or "the file"
    said = "" if first["type"] == "missing" else f", not {_short(first['input'])}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}{said}{more}"


def _shape(name: str, config: _Config) -> ModelShape:
    heads = config.num_attention_heads
    kv_heads = config.num_key_value_heads or heads
    if config.head_dim is None and config.hidden_size % heads:
        raise CheckpointError(f"hidden_size {config.hidden_size} does not divide by {heads} heads: add head_dim")
    if heads % kv_heads:
        raise CheckpointError(f"num_attention_heads {heads} does not divide by {kv_heads} key-value heads")
    head_dim = config.head_dim or config.hidden_size // heads
    return ModelShape(
        name=name,
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        # past the window attention no longer sees the whole conversation, so no more is promised
        max_position_embeddings=min(config.max_position_embeddings, config.sliding_window or 2**31),
        bias_params=_bias_params(config, heads + 2 * kv_heads, head_dim),
        tied_embeddings=config.tie_word_embeddings,
        stored_bytes_per_number=4 if config.dtype == "float32" else 2,
        source="config.json",
    )


def _bias_params(config: _Config, attention_heads: int, head_dim: int) -> int:
    attention = attention_heads * head_dim + config.hidden_size if config.attention_bias else 0
    mlp = 2 * config.intermediate_size + config.hidden_size if config.mlp_bias else 0
    return config.num_hidden_layers * (attention + mlp)


def _packing(quantized: _Quantized | None) -> tuple[Quantization | None, Packing | None]:
    if quantized is None:
        return None, None
    where = "quantization_config"
    if quantized.quant_method not in (Quantization.GPTQ, Quantization.AWQ):
        raise CheckpointError(f"{where}.quant_method: {_short(quantized.quant_method)} is not sized: gptq and awq are")
    if quantized.bits is None or quantized.group_size is None:
        raise CheckpointError(f"{where}: bits and group_size are needed")
    if quantized.group_size == 0:
        raise CheckpointError(f"{where}.group_size: 0 is no group; -1 is one group a column")
    _require_plain(quantized)
    quantization = Quantization(quantized.quant_method)
    symmetric = quantized.sym if quantization is Quantization.GPTQ else not quantized.zero_point
    group_size = None if quantized.group_size == -1 else quantized.group_size
    return quantization, Packing(
        bits=quantized.bits, group_size=group_size, act_order=quantized.desc_act, symmetric=symmetric
    )


def _require_plain(quantized: _Quantized) -> None:
    where = "quantization_config"
    if (quantized.checkpoint_format or "gptq") not in ("gptq", "gptq_v2", "gemm"):
        raise CheckpointError(f"{where}.checkpoint_format: {_short(quantized.checkpoint_format)} is not sized: gptq is")
    kept = set(quantized.modules_to_not_convert or ()) - _NEVER_QUANTIZED
    if kept:
        raise CheckpointError(
            f"{where}.modules_to_not_convert: parts of the layers stay 16 bit ({_short(sorted(kept))}): not sized"
        )
