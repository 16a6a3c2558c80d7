"""Which attention TGI runs, as far as memory depends on it (TGI 3.3.7 launcher/src/main.rs:131-214)."""

from dataclasses import dataclass
from typing import Final

from meditron_operator.core.catalog.gpus import Gpu
from meditron_operator.core.catalog.models import ModelShape

FLASHINFER_HEAD_DIMS: Final = frozenset({64, 128, 256})
_FLASHINFER_MIN_COMPUTE_CAPABILITY: Final = (8, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One attention implementation."""

    name: str
    block_tokens: int
    """Tokens of one KV-cache block (TGI 3.3.7 models/globals.py:37-46)."""
    chunks_prefill: bool
    """True: a prompt may be longer than MAX_BATCH_PREFILL_TOKENS."""
    fp8_kv_cache: bool
    """TGI 3.3.7 layers/attention/kv_cache.py:63-84."""


FLASHINFER: Final = Attention(name="flashinfer", block_tokens=1, chunks_prefill=True, fp8_kv_cache=True)
# Chunking works with flashdecoding too, but no model of the catalog uses it: not counted on.
FLASHDECODING: Final = Attention(name="flashdecoding", block_tokens=256, chunks_prefill=False, fp8_kv_cache=False)
PAGED_ROCM: Final = Attention(name="paged", block_tokens=16, chunks_prefill=False, fp8_kv_cache=True)
# 7.5 has neither fp8 arithmetic nor a published run of TGI with an fp8 cache: not counted on.
PAGED_TURING: Final = Attention(name="paged", block_tokens=16, chunks_prefill=False, fp8_kv_cache=False)


def attention_of(model: ModelShape, gpu: Gpu) -> Attention:
    """What this model gets on this card."""
    if gpu.compute_capability is None:
        return PAGED_ROCM  # Dockerfile_amd:303-305 sets ATTENTION=paged and PREFILL_CHUNKING=0
    if gpu.compute_capability < _FLASHINFER_MIN_COMPUTE_CAPABILITY:
        return PAGED_TURING
    return FLASHINFER if model.head_dim in FLASHINFER_HEAD_DIMS else FLASHDECODING
