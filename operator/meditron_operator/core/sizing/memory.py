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
from meditron_operator.core.sizing.adapters import adapter_bytes
from meditron_operator.core.sizing.demand import Demand, KvCacheDtype
from meditron_operator.core.sizing.kernels import Kernel
from meditron_operator.core.sizing.packed import checkpoint_linear_bytes, resident_parts, scratch_bytes

BYTES_PER_NUMBER: Final = 2
"""float16 and bfloat16."""

RUNTIME_BYTES: Final = BYTES_PER_GIB
"""CUDA context, NCCL buffers, attention workspace (128 MiB for flashinfer): 1 to 2 GiB in reports. What is
uncertain is in the safety factor."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Bytes of weights on each GPU, by what they are (on the fullest one, where an embedding shard is short).

    Linears, embedding and lm_head are cut; norms and biases are not. A vocabulary that does not divide puts a
    full lm_head on every GPU (TGI 3.3.7 layers/tensor_parallel.py:57-66).
    """

    linears: int
    embedding: int
    head: int
    norms: int
    unexplained: int
    """What the real files hold more (or less) than the formula says: counted as 16-bit weights that are cut."""
    adapters: int

    @property
    def total(self) -> int:
        return self.linears + self.embedding + self.head + self.norms + self.unexplained + self.adapters


def weights_of(demand: Demand, shards: int = 1) -> Weights:
    """Every part of the weights on one GPU."""
    model = demand.model
    head_shards = 1 if model.vocab_size % shards else shards
    return Weights(
        linears=_linear_bytes(demand, shards),
        embedding=ceil(Fraction(model.vocab_size, shards)) * model.hidden_size * BYTES_PER_NUMBER,
        head=model.embedding_params * BYTES_PER_NUMBER // head_shards,
        norms=(model.norm_params + model.bias_params) * BYTES_PER_NUMBER,
        unexplained=ceil(_unexplained_bytes(demand) / shards),
        adapters=ceil(adapter_bytes(model, demand.adapters, shards)),
    )


def weight_bytes(demand: Demand, shards: int = 1) -> int:
    """Bytes of weights on each GPU."""
    return weights_of(demand, shards).total


def activation_bytes(demand: Demand, shards: int, prefill_tokens: int) -> int:
    """Peak bytes of a forward pass over `prefill_tokens` on each GPU, rounded up."""
    model = demand.model
    attention = model.attention_width + 2 * model.key_value_width
    cut = Fraction(3 * model.intermediate_size + attention, shards)
    forward = BYTES_PER_NUMBER * prefill_tokens * (cut + 4 * model.hidden_size)
    return ceil(forward + scratch_bytes(model, demand.kernel, shards, prefill_tokens))


def kv_bytes_per_token(model: ModelShape, shards: int, dtype: KvCacheDtype) -> int:
    """Keys and values of one token in all layers, on each GPU."""
    return 2 * model.num_hidden_layers * model.key_value_width // shards * dtype.bytes_per_number


def checkpoint_bytes(demand: Demand) -> int:
    """Bytes of the safetensors on disk: the real files where they are known, else the formula, headers apart."""
    return formula_checkpoint_bytes(demand) if demand.files is None else demand.files.total_bytes


def formula_checkpoint_bytes(demand: Demand) -> int:
    """Bytes of the safetensors as they follow from the shape: what is loaded for this quantization."""
    model = demand.model
    if demand.packed is None:
        return model.params * model.stored_bytes_per_number
    untouched = (model.stored_embedding_params + model.norm_params + model.bias_params) * BYTES_PER_NUMBER
    return ceil(checkpoint_linear_bytes(model, demand.packed, demand.quantization)) + untouched


def files_difference(demand: Demand) -> Fraction:
    """By what part of the formula the real files differ from it; 0 where they are not known."""
    if demand.files is None:
        return Fraction(0)
    formula = formula_checkpoint_bytes(demand)
    return Fraction(demand.files.total_bytes - formula, formula)


def _linear_bytes(demand: Demand, shards: int) -> int:
    """All linears of all layers. What no kernel can run is refused, and its sum shown as for Triton's."""
    if demand.packed is not None:
        return resident_parts(demand.model, demand.packed, demand.kernel or Kernel.TRITON, shards).total
    return ceil(_unpacked_linear_bytes(demand) / shards)


def quantized_params(demand: Demand) -> int:
    """Weights that a quantization on the fly reaches; the other linears stay 16 bit."""
    if not demand.facts.inner_mlps_only:
        return demand.model.linear_params
    mlp = sum(linear.params for linear in demand.model.mlp_linears)
    return max(0, demand.model.num_hidden_layers - 2) * mlp


def _unpacked_linear_bytes(demand: Demand) -> Fraction:
    bytes_each = demand.facts.bytes_per_linear_weight
    assert bytes_each is not None  # noqa: S101 - only a packed format leaves it open
    reached = quantized_params(demand)
    return reached * bytes_each + (demand.model.linear_params - reached) * BYTES_PER_NUMBER


def _unexplained_bytes(demand: Demand) -> Fraction:
    if demand.files is None:
        return Fraction(0)
    difference = demand.files.total_bytes - formula_checkpoint_bytes(demand)
    stored = BYTES_PER_NUMBER if demand.packed is not None else demand.model.stored_bytes_per_number
    return Fraction(difference * BYTES_PER_NUMBER, stored)
