"""Bytes on one GPU and on disk, in whole numbers: no float takes part.

The sum that TGI makes at warm-up (TGI 3.3.7 flash_causal_lm.py:1507-1684), per shard:
KV cache = fraction x wiggle x CUDA total - weights - activations of the largest prefill - runtime.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from meditron_operator.core.catalog.gpus import BYTES_PER_GIB
from meditron_operator.core.catalog.models import ModelShape
from meditron_operator.core.catalog.quantization import (
    FACTS,
    PACKED_CHECKPOINT_BYTES_PER_WEIGHT,
    Quantization,
)
from meditron_operator.core.sizing.demand import KvCacheDtype

BYTES_PER_NUMBER: Final = 2
"""float16 and bfloat16."""

RUNTIME_BYTES: Final = BYTES_PER_GIB
"""CUDA context, NCCL buffers, attention workspace (128 MiB for flashinfer): 1 to 2 GiB in reports. What is
uncertain is in the safety factor."""

_GROUP_INDEX_BYTES_PER_ROW: Final = 4  # g_idx of a gptq checkpoint: one int32 per input row


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesPerGpu:
    """One GPU's memory; the first four are TGI's budget, and with the headroom they are the card."""

    weights: int
    kv_cache: int
    activations: int
    runtime: int
    headroom: int
    total: int

    @property
    def budget(self) -> int:
        return self.total - self.headroom

    @property
    def fixed(self) -> int:
        """All of the budget that is not KV cache."""
        return self.weights + self.activations + self.runtime


def quantized_linear_bytes(model: ModelShape, quantization: Quantization) -> Fraction:
    """Bytes in GPU memory of all linears of all layers, over all shards."""
    facts = FACTS[quantization]
    reached = model.linear_params
    if facts.inner_mlps_only:
        reached = max(0, model.num_hidden_layers - 2) * model.mlp_params_per_layer
    left = model.linear_params - reached
    return reached * facts.bytes_per_linear_weight + left * BYTES_PER_NUMBER


def weight_bytes(model: ModelShape, quantization: Quantization, shards: int = 1) -> int:
    """Bytes of weights on each GPU (on the fullest one, where the last shard of the embedding is short).

    Linears, embedding and lm_head are cut; norms are not. A vocabulary that does not divide puts a full
    lm_head on every GPU (TGI 3.3.7 layers/tensor_parallel.py:57-66).
    """
    linears = ceil(quantized_linear_bytes(model, quantization) / shards)
    embedding = ceil(Fraction(model.vocab_size, shards)) * model.hidden_size * BYTES_PER_NUMBER
    head_shards = 1 if model.vocab_size % shards else shards
    head = model.embedding_params * BYTES_PER_NUMBER // head_shards
    return linears + embedding + head + model.norm_params * BYTES_PER_NUMBER


def activation_bytes(model: ModelShape, shards: int, prefill_tokens: int) -> int:
    """Peak bytes of a forward pass over `prefill_tokens` on each GPU, rounded up."""
    attention = model.attention_width + 2 * model.key_value_width
    cut = Fraction(3 * model.intermediate_size + attention, shards)
    return ceil(BYTES_PER_NUMBER * prefill_tokens * (cut + 4 * model.hidden_size))


def kv_bytes_per_token(model: ModelShape, shards: int, dtype: KvCacheDtype) -> int:
    """Keys and values of one token in all layers, on each GPU."""
    return 2 * model.num_hidden_layers * model.key_value_width // shards * dtype.bytes_per_number


def checkpoint_bytes_16bit(model: ModelShape) -> int:
    """Bytes of the 16-bit safetensors, headers apart."""
    return model.params * BYTES_PER_NUMBER


def checkpoint_bytes(model: ModelShape, quantization: Quantization) -> int:
    """Bytes of the safetensors on disk, headers apart: what is loaded for this quantization."""
    if not FACTS[quantization].pre_quantized:
        return checkpoint_bytes_16bit(model)
    rows = model.linear_input_rows if quantization is Quantization.GPTQ else 0
    untouched = (2 * model.embedding_params + model.norm_params) * BYTES_PER_NUMBER
    packed = ceil(model.linear_params * PACKED_CHECKPOINT_BYTES_PER_WEIGHT)
    return packed + rows * _GROUP_INDEX_BYTES_PER_ROW + untouched
