"""What each value of TGI's `--quantize` costs and where it runs: one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Final


class Quantization(StrEnum):
    """TGI's own words; `none` means that the flag is left out."""

    NONE = "none"
    GPTQ = "gptq"
    AWQ = "awq"
    EETQ = "eetq"
    BITSANDBYTES = "bitsandbytes"
    BITSANDBYTES_NF4 = "bitsandbytes-nf4"
    FP8 = "fp8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How a gptq or awq checkpoint holds its weights: `quantization_config` of its config.json."""

    bits: int
    group_size: int | None
    """Input weights that share one scale; None (-1 in config.json): all of a column."""
    act_order: bool
    """`desc_act`: weights are ordered by activation, so the scales of a row shard can't be cut."""
    symmetric: bool
    """`sym`, or awq's `not zero_point`: zeros are one constant and need no memory where the kernel knows it."""

    @property
    def name(self) -> str:
        """For people: `4 bit, groups of 128, act-order`."""
        groups = "one group a column" if self.group_size is None else f"groups of {self.group_size}"
        words = [f"{self.bits} bit", groups]
        return ", ".join(words + ["act-order"] * self.act_order + ["asymmetric"] * (not self.symmetric))

    def groups(self, inputs: int) -> int:
        """Groups over `inputs` input weights, the last one possibly short."""
        return 1 if self.group_size is None else -(-inputs // self.group_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationFacts:
    """One row of the table."""

    bytes_per_linear_weight: Fraction | None
    """Bytes in GPU memory of one weight of a linear that the method reaches; None: its packing says."""
    packing: Packing | None = None
    """What the published Meditron checkpoints use, where the checkpoint holds quantized weights."""
    inner_mlps_only: bool = False
    """True: only the MLPs of layers 1 to L-2 are quantized, all else stays 16 bit."""
    min_compute_capability: tuple[int, int]
    runs_on_rocm: bool
    dtype_allowed: bool
    """False: the shard aborts when `--dtype` is given too (TGI 3.3.7 cli.py:110-118)."""
    adapters_allowed: bool
    """False: LoRA needs a base linear with `.weight`, which its kernel does not have (TGI 3.3.7 adapters/lora.py)."""
    notes: str
    source: str

    @property
    def pre_quantized(self) -> bool:
        """True: the checkpoint holds quantized weights. False: 16 bit, quantized while loading if at all."""
        return self.packing is not None

    @property
    def on_the_fly(self) -> bool:
        """Reads a 16-bit checkpoint and quantizes it in host memory."""
        return self.bytes_per_linear_weight is not None and self.bytes_per_linear_weight < 2


FLASH_MIN_COMPUTE_CAPABILITY: Final = (7, 5)
"""Below it TGI 3.3.7 has no flash attention: no sharding, no KV capacity (layers/attention/cuda.py)."""

MARLIN_MIN_COMPUTE_CAPABILITY: Final = (8, 0)

FACTS: Final[Mapping[Quantization, QuantizationFacts]] = MappingProxyType(
    {
        Quantization.NONE: QuantizationFacts(
            bytes_per_linear_weight=Fraction(2),
            min_compute_capability=FLASH_MIN_COMPUTE_CAPABILITY,
            runs_on_rocm=True,
            dtype_allowed=True,
            adapters_allowed=True,
            notes="without DTYPE the weights run as float16 whatever the checkpoint says",
            source="TGI 3.3.7 flash_causal_lm.py:1206,1220",
        ),
        Quantization.GPTQ: QuantizationFacts(
            bytes_per_linear_weight=None,
            packing=Packing(bits=4, group_size=128, act_order=False, symmetric=True),
            min_compute_capability=FLASH_MIN_COMPUTE_CAPABILITY,
            runs_on_rocm=True,
            dtype_allowed=False,
            adapters_allowed=False,
            notes="Marlin from 8.0 (symmetric: no zeros in memory), Triton below; activations are float16",
            source="TGI 3.3.7 layers/marlin/gptq.py:39-53",
        ),
        Quantization.AWQ: QuantizationFacts(
            bytes_per_linear_weight=None,
            packing=Packing(bits=4, group_size=128, act_order=False, symmetric=False),
            min_compute_capability=MARLIN_MIN_COMPUTE_CAPABILITY,
            runs_on_rocm=False,
            dtype_allowed=False,
            adapters_allowed=False,
            notes="4 bit, zero points stay in memory; the image has no AWQ kernel below 8.0",
            source="TGI 3.3.7 layers/marlin, Dockerfile (AWQ built for 8.0, 8.6 and 9.0+PTX)",
        ),
        Quantization.EETQ: QuantizationFacts(
            bytes_per_linear_weight=Fraction(1),
            min_compute_capability=FLASH_MIN_COMPUTE_CAPABILITY,
            runs_on_rocm=False,
            dtype_allowed=False,
            adapters_allowed=True,
            notes="8 bit, quantized by the CPU while loading: slow start, much host memory; float16",
            source="TGI 3.3.7 layers/eetq.py; EETQ README",
        ),
        Quantization.BITSANDBYTES: QuantizationFacts(
            bytes_per_linear_weight=Fraction(1),
            min_compute_capability=FLASH_MIN_COMPUTE_CAPABILITY,
            runs_on_rocm=False,
            dtype_allowed=True,
            adapters_allowed=True,
            notes="LLM.int8; TGI calls it deprecated and turns CUDA graphs off",
            source="TGI 3.3.7 launcher/src/main.rs:2171-2180; bitsandbytes documentation (7.5)",
        ),
        Quantization.BITSANDBYTES_NF4: QuantizationFacts(
            bytes_per_linear_weight=Fraction(516, 1000),  # 4.127 bits with double quantization, QLoRA paper
            min_compute_capability=FLASH_MIN_COMPUTE_CAPABILITY,
            runs_on_rocm=False,
            dtype_allowed=True,
            adapters_allowed=True,
            notes="4 bit, double quantized; CUDA graphs stay on",
            source="TGI 3.3.7 layers/bnb.py; bitsandbytes documentation",
        ),
        Quantization.FP8: QuantizationFacts(
            bytes_per_linear_weight=Fraction(1),
            inner_mlps_only=True,
            min_compute_capability=MARLIN_MIN_COMPUTE_CAPABILITY,
            runs_on_rocm=False,
            dtype_allowed=False,
            adapters_allowed=False,
            notes="from a 16-bit checkpoint: Marlin W8A16 on 8.x, cutlass W8A8 on 9.0",
            source="TGI 3.3.7 flash_llama_modeling.py:411,514,549,622,646 (no_fp8)",
        ),
    }
)
"""The facts of every quantization."""
