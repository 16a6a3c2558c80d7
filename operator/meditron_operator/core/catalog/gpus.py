"""The cards that the operator can size for: one row each, every number with its source.

`memory_mib` is what `nvidia-smi` and the node label `nvidia.com/gpu.memory` report. `cuda_total_bytes` is
what cudaMemGetInfo reports, which is less: TGI takes its fraction of this one (TGI 3.3.7
flash_causal_lm.py:1507-1684), so sizing does too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final

BYTES_PER_GIB: Final = 2**30
NVIDIA_RESOURCE_NAME: Final = "nvidia.com/gpu"  # NVIDIA device plugin
NVIDIA_PRODUCT_LABEL: Final = "nvidia.com/gpu.product"  # GPU feature discovery
MIG_RESOURCE_PREFIX: Final = "nvidia.com/mig-"  # and a profile such as 3g.40gb: device plugin, strategy `mixed`
AMD_RESOURCE_NAME: Final = "amd.com/gpu"  # ROCm k8s-device-plugin
AMD_PRODUCT_LABEL: Final = "amd.com/gpu.product-name"  # ROCm k8s-node-labeller, argument -product-name


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One kind of card, as a node offers it."""

    name: str
    """Catalog name: what `spec.gpu.type` says."""
    memory_mib: int
    """MiB, as nvidia-smi reports it."""
    cuda_total_bytes: int
    """Bytes that CUDA (or HIP) reports as the card's total."""
    compute_capability: tuple[int, int] | None
    """(major, minor); None for a card that runs ROCm."""
    family: str
    """As GPU feature discovery writes `nvidia.com/gpu.family`; for AMD the architecture."""
    products: tuple[str, ...]
    """Values of `product_label` that mean this card: spaces of the NVML name become dashes."""
    product_label: str = NVIDIA_PRODUCT_LABEL
    resource_name: str = NVIDIA_RESOURCE_NAME
    sliced: bool = False
    """True: a MIG slice of a card, which TGI can't spread a model over."""
    unproven: bool = False
    """True: nobody has shown TGI 3.3.7 to work here, so sizing refuses it unless asked."""
    source: str

    @property
    def runs_rocm(self) -> bool:
        return self.compute_capability is None

    @property
    def taint_key(self) -> str:
        """Key of the taint that keeps other pods off its nodes: the slices of a card share the card's."""
        return NVIDIA_RESOURCE_NAME if self.resource_name.startswith(MIG_RESOURCE_PREFIX) else self.resource_name


def _gib(figure: str) -> int:
    """Whole bytes of a figure printed in GiB, rounded down."""
    return int(Fraction(figure) * BYTES_PER_GIB)


_TORCH_REPORTS: Final = "total as printed in public PyTorch out-of-memory reports"
_LISTED: Final = "MiB as nvidia-smi lists it; total rounded down to 0.1 GiB, not checked against a live card"

_ROWS: Final = (
    Gpu(
        name="A100-40GB",
        memory_mib=40_960,
        cuda_total_bytes=_gib("39.4"),
        compute_capability=(8, 0),
        family="ampere",
        # Without the prefix: drivers before R470, seen in the GPU operator's documentation.
        products=("NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-PCIE-40GB", "A100-SXM4-40GB", "A100-PCIE-40GB"),
        source=f"{_TORCH_REPORTS} (39.39 to 39.59 GiB)",
    ),
    Gpu(
        name="A100-80GB",
        memory_mib=81_920,
        cuda_total_bytes=_gib("79.15"),
        compute_capability=(8, 0),
        family="ampere",
        products=("NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe", "A100-SXM4-80GB"),
        source=f"{_TORCH_REPORTS} (79.14 to 79.25 GiB)",
    ),
    Gpu(
        name="H100-80GB",
        memory_mib=81_559,
        cuda_total_bytes=_gib("79.2"),
        compute_capability=(9, 0),
        family="hopper",
        products=("NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe"),
        source=f"{_TORCH_REPORTS} (79.1 to 79.3 GiB)",
    ),
    Gpu(
        name="H100-94GB",
        memory_mib=95_830,
        cuda_total_bytes=_gib("93.0"),
        compute_capability=(9, 0),
        family="hopper",
        products=("NVIDIA-H100-NVL",),
        source=f"{_TORCH_REPORTS} (93.0 to 93.1 GiB)",
    ),
    Gpu(
        name="H200-141GB",
        memory_mib=143_771,
        cuda_total_bytes=_gib("139.7"),
        compute_capability=(9, 0),
        family="hopper",
        products=("NVIDIA-H200", "NVIDIA-H200-NVL"),
        source=f"{_TORCH_REPORTS} (139.7 to 139.8 GiB)",
    ),
    Gpu(
        name="B200",
        memory_mib=183_359,
        cuda_total_bytes=_gib("178.35"),
        compute_capability=(10, 0),
        family="blackwell",
        products=("NVIDIA-B200",),
        unproven=True,  # the image's flash-attention 2.6.1, exllama and AWQ kernels are built for <= 9.0
        source=f"{_TORCH_REPORTS}; TGI 3.3.7 documentation lists T4, A10G, A100 and H100 only",
    ),
    Gpu(
        name="L40S",
        memory_mib=46_068,
        cuda_total_bytes=_gib("44.4"),
        compute_capability=(8, 9),
        family="ada-lovelace",
        products=("NVIDIA-L40S",),
        source=f"{_TORCH_REPORTS} (44.3 to 44.5 GiB, ECC on)",
    ),
    Gpu(
        name="L40",
        memory_mib=46_068,
        cuda_total_bytes=_gib("44.4"),
        compute_capability=(8, 9),
        family="ada-lovelace",
        products=("NVIDIA-L40",),
        source=f"{_TORCH_REPORTS} (44.3 to 44.5 GiB, ECC on)",
    ),
    Gpu(
        name="L4",
        memory_mib=23_034,
        cuda_total_bytes=_gib("22.0"),
        compute_capability=(8, 9),
        family="ada-lovelace",
        products=("NVIDIA-L4",),
        source=f"{_TORCH_REPORTS} (22.03 to 22.09 GiB)",
    ),
    Gpu(
        name="A10G",
        memory_mib=23_028,
        cuda_total_bytes=_gib("22.0"),
        compute_capability=(8, 6),
        family="ampere",
        products=("NVIDIA-A10G",),
        source=_LISTED,
    ),
    Gpu(
        name="A40",
        memory_mib=46_068,
        cuda_total_bytes=_gib("44.4"),
        compute_capability=(8, 6),
        family="ampere",
        products=("NVIDIA-A40",),
        source=f"{_TORCH_REPORTS} (44.3 to 44.5 GiB, ECC on)",
    ),
    Gpu(
        name="RTX-A6000",
        memory_mib=49_140,
        cuda_total_bytes=_gib("47.5"),
        compute_capability=(8, 6),
        family="ampere",
        products=("NVIDIA-RTX-A6000",),
        source=f"{_LISTED}; ECC off",
    ),
    Gpu(
        name="RTX-6000-Ada",
        memory_mib=49_140,
        cuda_total_bytes=_gib("47.4"),
        compute_capability=(8, 9),
        family="ada-lovelace",
        products=("NVIDIA-RTX-6000-Ada-Generation",),
        source=f"{_LISTED}; ECC off (with ECC on the card reports 46,068 MiB)",
    ),
    Gpu(
        name="RTX-3090",
        memory_mib=24_576,
        cuda_total_bytes=_gib("23.6"),
        compute_capability=(8, 6),
        family="ampere",
        products=("NVIDIA-GeForce-RTX-3090",),
        source=_LISTED,
    ),
    Gpu(
        name="RTX-4090",
        memory_mib=24_564,
        cuda_total_bytes=_gib("23.6"),
        compute_capability=(8, 9),
        family="ada-lovelace",
        products=("NVIDIA-GeForce-RTX-4090",),
        source=_LISTED,
    ),
    Gpu(
        name="V100-32GB",
        memory_mib=32_768,
        cuda_total_bytes=_gib("31.7"),
        compute_capability=(7, 0),
        family="volta",
        products=(
            "Tesla-V100-SXM2-32GB",
            "Tesla-V100-SXM3-32GB",
            "Tesla-V100-PCIE-32GB",
            "Tesla-V100S-PCIE-32GB",
        ),
        source=_LISTED,
    ),
    Gpu(
        name="T4",
        memory_mib=15_360,
        cuda_total_bytes=_gib("14.6"),
        compute_capability=(7, 5),
        family="turing",
        products=("Tesla-T4",),
        source=_LISTED,
    ),
    Gpu(
        name="MI300X",
        memory_mib=196_592,
        cuda_total_bytes=_gib("191.7"),
        compute_capability=None,
        family="cdna3",
        products=("AMD_Instinct_MI300X_OAM",),
        product_label=AMD_PRODUCT_LABEL,
        resource_name=AMD_RESOURCE_NAME,
        source="MiB and label from AMD's DRA driver and node labeller; 191.7 to 192.0 GiB in PyTorch",
    ),
)

GPUS: Final[Mapping[str, Gpu]] = MappingProxyType({row.name: row for row in _ROWS})
"""Every card by its catalog name, in the order that messages and tables list them."""
