"""Every constant of the sum, pinned, with the place that it is from."""

from fractions import Fraction
from typing import Any

import pytest

from meditron_operator.core.catalog import quantization
from meditron_operator.core.sizing import (
    adapters,
    attention,
    demand,
    fit,
    host,
    kernels,
    memory,
    packed,
    planner,
    support,
)

GIB = 2**30

CONSTANTS: list[tuple[str, Any, Any]] = [
    # where it is from, the constant, its value
    ("TGI 3.3.7 models/globals.py:32, TGI_WIGGLE_ROOM", fit.STANDARD.wiggle_room, Fraction(9, 10)),
    ("TGI 3.3.7 launcher main.rs:2113, of an unknown card", fit.STANDARD.prefill_tokens, 4_096),
    ("TGI 3.0 models/globals.py, TGI_WIGGLE_ROOM", fit.TIGHT.wiggle_room, Fraction(95, 100)),
    ("ours: a chunk whose activations stop to matter", fit.TIGHT.prefill_tokens, 512),
    ("TGI 3.3.7 launcher main.rs:131-214: chunks need flashinfer", fit.TIGHT.needs_chunked_prefill, True),
    ("ours: TGI's default profile", fit.STANDARD.needs_chunked_prefill, False),
    ("TGI 3.3.7 launcher main.rs:813, --cuda-memory-fraction", fit.MEMORY_FRACTION, Fraction(1)),
    ("published measurements: good to 20 %", fit.SAFETY, Fraction(8, 10)),
    ("CUDA context, NCCL and workspace: 1 to 2 GiB in reports", memory.RUNTIME_BYTES, GIB),
    ("IEEE 754 half precision, bfloat16", memory.BYTES_PER_NUMBER, 2),
    ("TGI 3.3.7 README: --shm-size 1g", host.SHM_BYTES_PER_SHARD, GIB),
    ("ours: Python, CUDA libraries, tokenizer, router", host.PROCESS_BYTES, 8 * GIB),
    ("transformers save_pretrained, max_shard_size", host.LARGEST_16BIT_FILE_BYTES, 10 * 10**9),
    ("ours: size limits of the pod's folders", host.EPHEMERAL_STORAGE_BYTES, 8 * GIB),
    ("ours: a fifth more than the file while it is copied", host._LOAD_FACTOR, Fraction(12, 10)),
    ("ours: router, tokenizer workers, launcher", host._CPUS_BASE, 4),
    ("ours: a shard's thread and its loader", host._CPUS_PER_SHARD, 2),
    ("ours: the usual GPU server", planner.MAX_GPUS_PER_NODE, 8),
    ("the issue of the planner: more is reported", planner.FILES_TOLERANCE, Fraction(3, 100)),
    ("TGI 3.3.7 launcher main.rs:2157: input < total", demand.MIN_CONTEXT_TOKENS, 2),
    ("CUDA programming guide: bfloat16 from Ampere on", demand.BF16_MIN_COMPUTE_CAPABILITY, (8, 0)),
    ("TGI 3.3.7 layers/attention/cuda.py", quantization.FLASH_MIN_COMPUTE_CAPABILITY, (7, 5)),
    ("TGI 3.3.7 layers/marlin/gptq.py, has_sm_8_0", quantization.MARLIN_MIN_COMPUTE_CAPABILITY, (8, 0)),
    (
        "TGI 3.3.7 models/__init__.py: sharded needs flash attention 2",
        support.SHARDED_MIN_COMPUTE_CAPABILITY,
        (8, 0),
    ),
    ("TGI 3.3.7 layers/marlin/gptq.py, GPTQ_MARLIN_BITS", kernels.MARLIN_BITS, {4, 8}),
    ("TGI 3.3.7 layers/marlin/gptq.py, GPTQ_MARLIN_GROUP_SIZES", kernels.MARLIN_GROUP_SIZES, {None, 32, 64, 128}),
    ("TGI 3.3.7 layers/gptq/triton.py", kernels.TRITON_BITS, {2, 4, 8}),
    ("TGI 3.3.7 layers/gptq/exllamav2.py", kernels._EXLLAMA_BITS, 4),
    ("TGI 3.3.7 layers/gptq: scales are float16", packed._SCALE_BYTES, 2),
    ("TGI 3.3.7 layers/gptq: g_idx is int32", packed._INDEX_BYTES, 4),
    ("TGI 3.3.7 layers/marlin/gptq.py: g_idx and perm", packed._MARLIN_ORDER_BYTES, 8),
    ("TGI 3.3.7 layers/gptq/exllamav2.py: 128 after each buffer", packed._EXLLAMA_ALIGNMENT_BYTES, 256),
    ("TGI 3.3.7 utils/sgmv.py, pad_rank", adapters._MIN_RANK_PER_SHARD, 8),
    ("TGI 3.3.7 utils/sgmv.py, pad_rank", adapters._RANK_STEP, 16),
    ("TGI 3.3.7 adapters/lora.py: loaded in the model's 16 bit", adapters._BYTES_PER_NUMBER, 2),
    ("TGI 3.3.7 launcher main.rs:131-214", attention.FLASHINFER_HEAD_DIMS, {64, 128, 256}),
    ("TGI 3.3.7 models/globals.py:37-46", attention.FLASHINFER.block_tokens, 1),
    ("TGI 3.3.7 models/globals.py:37-46", attention.FLASHDECODING.block_tokens, 256),
    ("TGI 3.3.7 models/globals.py:37-46", attention.PAGED_ROCM.block_tokens, 16),
    ("TGI 3.3.7 models/globals.py:37-46", attention.PAGED_TURING.block_tokens, 16),
]


@pytest.mark.parametrize(("source", "constant", "value"), CONSTANTS, ids=[row[0] for row in CONSTANTS])
def test_constant(source: str, constant: Any, value: Any) -> None:
    assert constant == value, source
