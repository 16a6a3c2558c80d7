"""The tables of facts, pinned: a number that changes here changes what is promised to a clinic."""

from dataclasses import FrozenInstanceError
from fractions import Fraction

import pytest

from meditron_operator.core.catalog.gpus import BYTES_PER_GIB, GPUS
from meditron_operator.core.catalog.models import MODELS, find_model
from meditron_operator.core.catalog.quantization import FACTS, Packing, Quantization
from meditron_operator.core.sizing import checkpoint_bytes
from tests.unit.sizing.asking import stored

TORCH = "public PyTorch out-of-memory reports"  # CUDA's total as printed there; MiB as nvidia-smi lists it
LISTED = "not checked against a live card"  # MiB as nvidia-smi lists it, the total rounded down from other reports

CARDS = [
    # name, MiB, CUDA total in GiB, compute capability, family, where the numbers are from
    ("A100-40GB", 40_960, "39.4", (8, 0), "ampere", f"{TORCH} (39.39 to 39.59 GiB)"),
    ("A100-80GB", 81_920, "79.15", (8, 0), "ampere", f"{TORCH} (79.14 to 79.25 GiB)"),
    ("H100-80GB", 81_559, "79.2", (9, 0), "hopper", f"{TORCH} (79.1 to 79.3 GiB)"),
    ("H100-94GB", 95_830, "93.0", (9, 0), "hopper", f"{TORCH} (93.0 to 93.1 GiB)"),
    ("H200-141GB", 143_771, "139.7", (9, 0), "hopper", f"{TORCH} (139.7 to 139.8 GiB)"),
    ("B200", 183_359, "178.35", (10, 0), "blackwell", TORCH),
    ("L40S", 46_068, "44.4", (8, 9), "ada-lovelace", f"{TORCH} (44.3 to 44.5 GiB, ECC on)"),
    ("L40", 46_068, "44.4", (8, 9), "ada-lovelace", f"{TORCH} (44.3 to 44.5 GiB, ECC on)"),
    ("L4", 23_034, "22.0", (8, 9), "ada-lovelace", f"{TORCH} (22.03 to 22.09 GiB)"),
    ("A10G", 23_028, "22.0", (8, 6), "ampere", LISTED),
    ("A40", 46_068, "44.4", (8, 6), "ampere", f"{TORCH} (44.3 to 44.5 GiB, ECC on)"),
    ("RTX-A6000", 49_140, "47.5", (8, 6), "ampere", f"{LISTED}; ECC off"),
    ("RTX-6000-Ada", 49_140, "47.4", (8, 9), "ada-lovelace", f"{LISTED}; ECC off"),
    ("RTX-3090", 24_576, "23.6", (8, 6), "ampere", LISTED),
    ("RTX-4090", 24_564, "23.6", (8, 9), "ada-lovelace", LISTED),
    ("V100-32GB", 32_768, "31.7", (7, 0), "volta", LISTED),
    ("T4", 15_360, "14.6", (7, 5), "turing", LISTED),
    ("MI300X", 196_592, "191.7", None, "cdna3", "191.7 to 192.0 GiB in PyTorch"),
]

PRODUCTS = {
    "A100-40GB": ("NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-PCIE-40GB", "A100-SXM4-40GB", "A100-PCIE-40GB"),
    "A100-80GB": ("NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe", "A100-SXM4-80GB"),
    "H100-80GB": ("NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe"),
    "H100-94GB": ("NVIDIA-H100-NVL",),
    "H200-141GB": ("NVIDIA-H200", "NVIDIA-H200-NVL"),
    "B200": ("NVIDIA-B200",),
    "L40S": ("NVIDIA-L40S",),
    "L40": ("NVIDIA-L40",),
    "L4": ("NVIDIA-L4",),
    "A10G": ("NVIDIA-A10G",),
    "A40": ("NVIDIA-A40",),
    "RTX-A6000": ("NVIDIA-RTX-A6000",),
    "RTX-6000-Ada": ("NVIDIA-RTX-6000-Ada-Generation",),
    "RTX-3090": ("NVIDIA-GeForce-RTX-3090",),
    "RTX-4090": ("NVIDIA-GeForce-RTX-4090",),
    "V100-32GB": (
        "Tesla-V100-SXM2-32GB",
        "Tesla-V100-SXM3-32GB",
        "Tesla-V100-PCIE-32GB",
        "Tesla-V100S-PCIE-32GB",
    ),
    "T4": ("Tesla-T4",),
    "MI300X": ("AMD_Instinct_MI300X_OAM",),
}


@pytest.mark.parametrize(("name", "mib", "gib", "capability", "family", "source"), CARDS)
def test_card(*, name: str, mib: int, gib: str, capability: tuple[int, int] | None, family: str, source: str) -> None:
    gpu = GPUS[name]
    assert (gpu.name, gpu.memory_mib, gpu.compute_capability, gpu.family) == (name, mib, capability, family)
    assert gpu.cuda_total_bytes == int(Fraction(gib) * BYTES_PER_GIB)
    assert gpu.products == PRODUCTS[name]
    assert source in gpu.source


def test_every_card_in_this_order() -> None:
    assert list(GPUS) == [row[0] for row in CARDS]


def test_cuda_reports_less_than_nvidia_smi_but_not_much_less() -> None:
    """A typing error in one of the two columns would show here."""
    for gpu in GPUS.values():
        share = gpu.cuda_total_bytes / (gpu.memory_mib * 2**20)
        assert 0.94 < share < 1, gpu.name


def test_a_product_label_means_one_card() -> None:
    products = [product for gpu in GPUS.values() for product in gpu.products]
    assert len(products) == len(set(products))
    assert not [product for product in products if " " in product]


def test_only_amd_differs_in_label_and_resource() -> None:
    amd = GPUS["MI300X"]
    assert (amd.product_label, amd.resource_name) == ("amd.com/gpu.product-name", "amd.com/gpu")
    assert [gpu.name for gpu in GPUS.values() if gpu.runs_rocm] == ["MI300X"]
    others = {(gpu.product_label, gpu.resource_name) for gpu in GPUS.values() if gpu is not amd}
    assert others == {("nvidia.com/gpu.product", "nvidia.com/gpu")}


def test_only_blackwell_is_unproven() -> None:
    assert [gpu.name for gpu in GPUS.values() if gpu.unproven] == ["B200"]


def test_tables_are_read_only() -> None:
    with pytest.raises(TypeError):
        GPUS["X"] = GPUS["L4"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        GPUS["L4"].memory_mib = 1  # type: ignore[misc]


SHAPES = [
    # name, (V, H, I, L, heads, KV heads, head dim), positions, where they are from
    ("meditron-7b", (32_000, 4_096, 11_008, 32, 32, 32, 128), 2_048, "model card: Llama-2-7B continued"),
    ("meditron-70b", (32_000, 8_192, 28_672, 80, 64, 8, 128), 4_096, "model card: Llama-2-70B continued"),
    ("meditron3-8b", (128_256, 4_096, 14_336, 32, 32, 8, 128), 131_072, "shape of the Llama-3.1-8B config"),
    ("meditron3-70b", (128_256, 8_192, 28_672, 80, 64, 8, 128), 131_072, "shape of the Llama-3.1-70B config"),
    ("llama-2-7b", (32_000, 4_096, 11_008, 32, 32, 32, 128), 4_096, "config.json of meta-llama/Llama-2-7b-hf"),
    ("llama-2-70b", (32_000, 8_192, 28_672, 80, 64, 8, 128), 4_096, "config.json of meta-llama/Llama-2-70b-hf"),
    ("biomistral-7b", (32_000, 4_096, 14_336, 32, 32, 8, 128), 4_096, "Mistral-7B-Instruct-v0.1 tuned"),
    ("pmc-llama-13b", (32_000, 5_120, 13_824, 40, 40, 40, 128), 2_048, "PMC-LLaMA paper: LLaMA-13B"),
]


@pytest.mark.parametrize(("name", "shape", "positions", "source"), SHAPES)
def test_shape(name: str, shape: tuple[int, ...], positions: int, source: str) -> None:
    model = MODELS[name]
    assert model.name == name
    assert shape == (
        model.vocab_size,
        model.hidden_size,
        model.intermediate_size,
        model.num_hidden_layers,
        model.num_attention_heads,
        model.num_key_value_heads,
        model.head_dim,
    )
    assert model.max_position_embeddings == positions
    assert source in model.source


def test_every_model_in_this_order() -> None:
    assert list(MODELS) == [row[0] for row in SHAPES]


@pytest.mark.parametrize(
    ("name", "params", "bytes_16bit", "linear"),
    [
        # Published counts of Llama 2 (6.74 and 68.98 billion) and Llama 3.1 (8.03 and 70.55 billion), to the byte.
        ("llama-2-7b", 6_738_415_616, 13_476_831_232, 6_476_005_376),
        ("llama-2-70b", 68_976_648_192, 137_953_296_384, 68_451_041_280),
        ("meditron3-8b", 8_030_261_248, 16_060_522_496, 6_979_321_856),
        ("meditron3-70b", 70_553_706_496, 141_107_412_992, 68_451_041_280),
        # Published counts: Mistral-7B 7,241,732,096; LLaMA-13B 13,015,864,320.
        ("biomistral-7b", 7_241_732_096, 14_483_464_192, 6_979_321_856),
        ("pmc-llama-13b", 13_015_864_320, 26_031_728_640, 12_687_769_600),
    ],
)
def test_parameters_to_the_byte(name: str, params: int, bytes_16bit: int, linear: int) -> None:
    model = MODELS[name]
    assert (model.params, model.linear_params) == (params, linear)
    assert checkpoint_bytes(stored(name, "none")) == bytes_16bit


def test_awq_checkpoint_is_what_the_hub_lists() -> None:
    """TheBloke/meditron-70B-AWQ is listed with 36.61 GB."""
    assert checkpoint_bytes(stored("meditron-70b", "awq")) == 36_613_668_864


def test_gptq_checkpoint_adds_one_index_per_input_row() -> None:
    rows = 80 * (6 * 8_192 + 28_672)
    awq = checkpoint_bytes(stored("meditron-70b", "awq"))
    assert checkpoint_bytes(stored("meditron-70b", "gptq")) == awq + 4 * rows == 36_638_572_544


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("meditron-70b", "meditron-70b"),
        ("epfl-llm/meditron-70b", "meditron-70b"),
        ("EPFL-LLM/Meditron-70B", "meditron-70b"),
        ("TheBloke/meditron-70B-GPTQ", "meditron-70b"),
        ("TheBloke/meditron-70b-AWQ", "meditron-70b"),
        ("epfl-llm/meditron-7b", "meditron-7b"),
        ("TheBloke/meditron-7B-GPTQ", "meditron-7b"),
        ("OpenMeditron/Meditron3-8B", "meditron3-8b"),
        ("EPFLiGHT/Meditron3-70B", "meditron3-70b"),
        ("meta-llama/Llama-2-70b-hf", "llama-2-70b"),
        ("meta-llama/Llama-2-7b-chat-hf", "llama-2-7b"),
        ("BioMistral/BioMistral-7B", "biomistral-7b"),
        ("axiong/PMC_LLaMA_13B", "pmc-llama-13b"),
    ],
)
def test_find_model(asked: str, name: str) -> None:
    assert find_model(asked) is MODELS[name]


@pytest.mark.parametrize("asked", ["", "meditron", "meditron-70", "somebody/meditron-70b", "meditron-70b "])
def test_find_model_guesses_nothing(asked: str) -> None:
    assert find_model(asked) is None


def test_a_hub_id_means_one_model() -> None:
    names = [alias.lower() for model in MODELS.values() for alias in (model.name, *model.aliases)]
    assert len(names) == len(set(names))


# bytes per linear weight (TGI 3.3.7 reads it from the packing of gptq and awq), on the fly, compute capability, ROCm,
# DTYPE allowed (cli.py:110-118), LoRA allowed (adapters/lora.py: the base needs `.weight`)
QUANTIZATIONS = {
    "none": (Fraction(2), False, (7, 5), True, True, True),
    "gptq": (None, False, (7, 5), True, False, False),
    "awq": (None, False, (8, 0), False, False, False),
    "eetq": (Fraction(1), True, (7, 5), False, False, True),
    "bitsandbytes": (Fraction(1), True, (7, 5), False, True, True),
    "bitsandbytes-nf4": (Fraction(516, 1000), True, (7, 5), False, True, True),
    "fp8": (Fraction(1), True, (8, 0), False, False, False),
}


@pytest.mark.parametrize("quantization", list(Quantization))
def test_quantization(quantization: Quantization) -> None:
    facts = FACTS[quantization]
    assert QUANTIZATIONS[quantization] == (
        facts.bytes_per_linear_weight,
        facts.on_the_fly,
        facts.min_compute_capability,
        facts.runs_on_rocm,
        facts.dtype_allowed,
        facts.adapters_allowed,
    )
    assert facts.inner_mlps_only == (quantization is Quantization.FP8)
    assert facts.pre_quantized == (quantization in {Quantization.GPTQ, Quantization.AWQ})
    assert facts.notes
    assert facts.source


def test_packing_of_the_published_checkpoints() -> None:
    """TheBloke's model cards: 4 bit in groups of 128; AWQ by GEMM with zero points."""
    assert FACTS[Quantization.GPTQ].packing == Packing(bits=4, group_size=128, act_order=False, symmetric=True)
    assert FACTS[Quantization.AWQ].packing == Packing(bits=4, group_size=128, act_order=False, symmetric=False)


def test_quantizations_are_the_words_of_tgi() -> None:
    assert [str(quantization) for quantization in Quantization] == list(QUANTIZATIONS)
    assert set(FACTS) == set(Quantization)
