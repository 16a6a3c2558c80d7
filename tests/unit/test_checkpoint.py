"""Facts from a config.json: of models as they are published, and of whatever else somebody may feed it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.catalog.quantization import Packing, Quantization
from meditron_operator.core.checkpoint import CheckpointError, read_config, read_index, weight_files
from meditron_operator.core.sizing import WeightFiles

LLAMA_2_70B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "rope_scaling": None,
    "rms_norm_eps": 1e-05,
}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
GONE = object()


def config(**changes: Any) -> str:
    raw = LLAMA_2_70B | changes
    return json.dumps({key: value for key, value in raw.items() if value is not GONE})


def quantized(method: dict[str, Any], **changes: Any) -> str:
    raw = method | changes
    return config(quantization_config={key: value for key, value in raw.items() if value is not GONE})


def test_the_shape_of_a_known_model_is_the_catalogs() -> None:
    read, known = read_config("here", config()).shape, MODELS["llama-2-70b"]
    same = [
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "max_position_embeddings", "params",
    ]  # fmt: skip
    assert [getattr(read, field) for field in same] == [getattr(known, field) for field in same]
    assert (read.name, read.source, read.aliases) == ("here", "config.json", ())
    assert (read.bias_params, read.tied_embeddings, read.stored_bytes_per_number) == (0, False, 2)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"num_key_value_heads": GONE}, "num_key_value_heads", 64),
        ({"num_key_value_heads": None}, "num_key_value_heads", 64),
        ({"head_dim": 64}, "head_dim", 64),
        ({"vocab_size": 32017}, "vocab_size", 32017),
        ({"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 4096,
          "max_position_embeddings": 32768}, "max_position_embeddings", 4096),
        ({"sliding_window": None}, "max_position_embeddings", 4096),
        ({"tie_word_embeddings": True}, "tied_embeddings", True),
        ({"torch_dtype": "float32"}, "stored_bytes_per_number", 4),
        ({"torch_dtype": GONE, "dtype": "float32"}, "stored_bytes_per_number", 4),
        ({"torch_dtype": GONE}, "stored_bytes_per_number", 2),
        ({"attention_bias": True}, "bias_params", 80 * (80 * 128 + 8192)),
        ({"mlp_bias": True}, "bias_params", 80 * (2 * 28672 + 8192)),
        ({"architectures": GONE}, "head_dim", 128),
    ],
)  # fmt: skip
def test_what_the_config_says_counts(changes: dict[str, Any], field: str, value: object) -> None:
    assert getattr(read_config("here", config(**changes)).shape, field) == value


@pytest.mark.parametrize(
    ("text", "quantization", "packing"),
    [
        (config(), None, None),
        (quantized(GPTQ), "gptq", (4, 128, False, True)),
        (quantized(GPTQ, desc_act=True, group_size=32), "gptq", (4, 32, True, True)),
        (quantized(GPTQ, group_size=-1), "gptq", (4, None, False, True)),
        (quantized(GPTQ, sym=False), "gptq", (4, 128, False, False)),
        (quantized(GPTQ, sym=GONE), "gptq", (4, 128, False, False)),  # TGI takes a missing `sym` for false
        (quantized(GPTQ, desc_act=GONE), "gptq", (4, 128, False, True)),
        (quantized(GPTQ, bits=8), "gptq", (8, 128, False, True)),
        (quantized(GPTQ, modules_to_not_convert=["lm_head"]), "gptq", (4, 128, False, True)),
        (quantized(AWQ), "awq", (4, 128, False, False)),
        (quantized(AWQ, zero_point=False), "awq", (4, 128, False, True)),
        (quantized({"quant_method": "awq", "w_bit": 4, "q_group_size": 64}), "awq", (4, 64, False, False)),
    ],
)
def test_packing(text: str, quantization: str | None, packing: tuple[Any, ...] | None) -> None:
    facts = read_config("here", text)
    assert facts.quantization == (None if quantization is None else Quantization(quantization))
    if packing is None:
        assert facts.packing is None
    else:
        bits, group_size, act_order, symmetric = packing
        assert facts.packing == Packing(bits=bits, group_size=group_size, act_order=act_order, symmetric=symmetric)


REFUSED = [
    ("", "here: not JSON, or cut off: Expecting value at line 1, column 1"),
    (config()[:100], "here: not JSON, or cut off: "),
    ("[1, 2]", "here: must be a JSON object, not list"),
    ("null", "here: must be a JSON object, not NoneType"),
    ("[" * 100_000, "here: nested too deeply"),
    ('{"vocab_size": ' + "9" * 5_000 + "}", "here: Exceeds the limit"),
    (" " * (8 * 2**20 + 1), "here: larger than 8 MiB"),
    ("{}", "here: not Llama-shaped: its architecture is None, sized are LlamaForCausalLM or MistralForCausalLM"),
    (config(architectures=["GPT2LMHeadModel"], model_type="gpt2"), "its architecture is ['GPT2LMHeadModel']"),
    (config(architectures=["LlamaForCausalLM", "Evil"]), "its architecture is ['LlamaForCausalLM', 'Evil']"),
    (config(architectures="LlamaForCausalLM", model_type=7), "its architecture is 'LlamaForCausalLM'"),
    (config(architectures=["X" * 10_000]), "X…, sized are"),
    (config(vocab_size=GONE), "here: vocab_size: field required"),
    (config(vocab_size=GONE, hidden_size=GONE), "here: vocab_size: field required (and 1 more)"),
    (config(hidden_size=-8192), "here: hidden_size: input should be greater than or equal to 1, not -8192"),
    (config(hidden_size=0), "hidden_size: input should be greater"),
    (config(hidden_size=10**30), "hidden_size: input should be less than or equal to 16777216, not 1"),
    (config(hidden_size=8192.5), "hidden_size: input should be a valid integer, not 8192.5"),
    (config(hidden_size="8192"), "hidden_size: input should be a valid integer, not '8192'"),
    (config(num_hidden_layers=True), "num_hidden_layers: input should be a valid integer, not True"),
    (config(num_hidden_layers=float("nan")), "num_hidden_layers: input should be a valid integer, not nan"),
    (config(hidden_size=8190), "hidden_size 8190 does not divide by 64 heads: add head_dim"),
    (config(num_key_value_heads=7), "num_attention_heads 64 does not divide by 7 key-value heads"),
    (config(torch_dtype="int8"), "torch_dtype: input should be 'float32', 'float16' or 'bfloat16', not 'int8'"),
    (config(quantization_config=[]), "quantization_config: input should be"),
    (quantized(GPTQ, quant_method="exl2"), "quantization_config.quant_method: 'exl2' is not sized: gptq and awq are"),
    (quantized(GPTQ, quant_method="fp8"), "'fp8' is not sized"),
    (quantized(GPTQ, quant_method=GONE), "quantization_config.quant_method: field required"),
    (quantized(GPTQ, bits=GONE), "quantization_config: bits and group_size are needed"),
    (quantized(GPTQ, group_size=GONE), "quantization_config: bits and group_size are needed"),
    (quantized(GPTQ, group_size=0), "quantization_config.group_size: 0 is no group; -1 is one group a column"),
    (quantized(GPTQ, group_size=-2), "quantization_config.group_size: input should be greater"),
    (quantized(GPTQ, bits=0), "quantization_config.bits: input should be greater"),
    (quantized(GPTQ, checkpoint_format="marlin"), "checkpoint_format: 'marlin' is not sized"),
    (quantized(AWQ, modules_to_not_convert=["mlp", "lm_head"]), "parts of the layers stay 16 bit (['mlp'])"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_is_no_llama_config_is_one_clear_line(text: str, says: str) -> None:
    with pytest.raises(CheckpointError) as refusal:
        read_config("here", text)
    line = str(refusal.value)
    assert line.startswith("here: ")
    assert says in line
    assert "\n" not in line
    assert len(line) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=10,
)


def said(text: str) -> str:
    """The refusal, or nothing when the text is a config."""
    try:
        read_config("here", text)
    except CheckpointError as refusal:
        return str(refusal)
    return ""


@given(st.dictionaries(st.sampled_from([*LLAMA_2_70B, "quantization_config", "head_dim", "sliding_window"]), JSON))
def test_no_value_raises_anything_else(changes: dict[str, Any]) -> None:
    assert "\n" not in said(config(**changes))


@given(st.text() | st.builds(lambda cut: config()[:cut], st.integers(0, 500)))
def test_no_text_raises_anything_else(text: str) -> None:
    assert "\n" not in said(text)


def test_weights_are_the_safetensors_at_the_top() -> None:
    sizes = {
        "model-00001-of-00002.safetensors": 10,
        "model-00002-of-00002.safetensors": 7,
        "onnx/model.safetensors": 99,
        "pytorch_model.bin": 99,
        "model.safetensors.index.json": 1,
    }
    assert weight_files(sizes) == WeightFiles(total_bytes=17, largest_bytes=10)
    assert weight_files({"pytorch_model.bin": 5}) is None


def test_an_index_names_its_files() -> None:
    text = json.dumps({"metadata": {"total_size": 3}, "weight_map": {"a": "one", "b": "two", "c": "one"}})
    assert read_index(text) == {"one", "two"}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 1}}']
)
def test_what_is_no_index(text: str) -> None:
    with pytest.raises(CheckpointError):
        read_index(text)
