"""The models that the guide deploys and compares with: their shapes, from which every byte of sizing follows.

A checkpoint whose `config.json` says otherwise (a vocabulary resized for extra tokens, say) has other sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """A decoder of the Llama family; the fields are named as in the checkpoint's `config.json`."""

    name: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    """Longest sequence, in tokens, that we serve."""
    aliases: tuple[str, ...]
    """Hub ids of checkpoints with this shape, quantized ones too."""
    source: str

    @property
    def attention_width(self) -> int:
        """Input width of o_proj, output width of q_proj."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_value_width(self) -> int:
        """Output width of k_proj and of v_proj."""
        return self.num_key_value_heads * self.head_dim

    @property
    def attention_params_per_layer(self) -> int:
        """q_proj, k_proj, v_proj, o_proj."""
        return 2 * self.hidden_size * (self.attention_width + self.key_value_width)

    @property
    def mlp_params_per_layer(self) -> int:
        """gate_proj, up_proj, down_proj."""
        return 3 * self.hidden_size * self.intermediate_size

    @property
    def linear_params(self) -> int:
        """All weights of the layers' linears: what quantization makes smaller."""
        return self.num_hidden_layers * (self.attention_params_per_layer + self.mlp_params_per_layer)

    @property
    def linear_input_rows(self) -> int:
        """Input rows summed over all linears of all layers (q, k, v, gate, up: hidden; o; down)."""
        per_layer = 5 * self.hidden_size + self.attention_width + self.intermediate_size
        return self.num_hidden_layers * per_layer

    @property
    def embedding_params(self) -> int:
        """embed_tokens; lm_head has as many, untied."""
        return self.vocab_size * self.hidden_size

    @property
    def norm_params(self) -> int:
        """Two RMS norms a layer and the last one."""
        return (2 * self.num_hidden_layers + 1) * self.hidden_size

    @property
    def params(self) -> int:
        return self.linear_params + 2 * self.embedding_params + self.norm_params


_ROWS: Final = (
    ModelShape(
        name="meditron-7b",
        vocab_size=32_000,
        hidden_size=4_096,
        intermediate_size=11_008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
        head_dim=128,
        max_position_embeddings=2_048,
        aliases=("epfl-llm/meditron-7b", "TheBloke/meditron-7B-GPTQ", "TheBloke/meditron-7B-AWQ"),
        source="model card: Llama-2-7B continued, context 2,048; 32,000 rows (epfLLM/meditron issue 8)",
    ),
    ModelShape(
        name="meditron-70b",
        vocab_size=32_000,
        hidden_size=8_192,
        intermediate_size=28_672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=4_096,
        aliases=("epfl-llm/meditron-70b", "TheBloke/meditron-70B-GPTQ", "TheBloke/meditron-70B-AWQ"),
        source="model card: Llama-2-70B continued, context 4,096",
    ),
    ModelShape(
        name="meditron3-8b",
        vocab_size=128_256,
        hidden_size=4_096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=131_072,
        aliases=("OpenMeditron/Meditron3-8B", "EPFLiGHT/Meditron3-8B"),
        source="model card: Llama-3.1-8B tuned; shape of the Llama-3.1-8B config",
    ),
    ModelShape(
        name="meditron3-70b",
        vocab_size=128_256,
        hidden_size=8_192,
        intermediate_size=28_672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=131_072,
        aliases=("OpenMeditron/Meditron3-70B", "EPFLiGHT/Meditron3-70B"),
        source="model card: Llama-3.1-70B tuned; shape of the Llama-3.1-70B config",
    ),
    ModelShape(
        name="llama-2-7b",
        vocab_size=32_000,
        hidden_size=4_096,
        intermediate_size=11_008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
        head_dim=128,
        max_position_embeddings=4_096,
        aliases=(
            "meta-llama/Llama-2-7b-hf",
            "meta-llama/Llama-2-7b-chat-hf",
            "TheBloke/Llama-2-7B-GPTQ",
            "TheBloke/Llama-2-7B-AWQ",
        ),
        source="config.json of meta-llama/Llama-2-7b-hf",
    ),
    ModelShape(
        name="llama-2-70b",
        vocab_size=32_000,
        hidden_size=8_192,
        intermediate_size=28_672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=4_096,
        aliases=(
            "meta-llama/Llama-2-70b-hf",
            "meta-llama/Llama-2-70b-chat-hf",
            "TheBloke/Llama-2-70B-GPTQ",
            "TheBloke/Llama-2-70B-AWQ",
        ),
        source="config.json of meta-llama/Llama-2-70b-hf",
    ),
    ModelShape(
        name="biomistral-7b",
        vocab_size=32_000,
        hidden_size=4_096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=4_096,
        aliases=("BioMistral/BioMistral-7B",),
        source=(
            "Mistral-7B-Instruct-v0.1 tuned: its config says 32,768 positions and sliding_window 4,096. "
            "We stop at the window: past it attention no longer sees the whole conversation"
        ),
    ),
    ModelShape(
        name="pmc-llama-13b",
        vocab_size=32_000,
        hidden_size=5_120,
        intermediate_size=13_824,
        num_hidden_layers=40,
        num_attention_heads=40,
        num_key_value_heads=40,
        head_dim=128,
        max_position_embeddings=2_048,
        aliases=("axiong/PMC_LLaMA_13B",),
        source="PMC-LLaMA paper: LLaMA-13B, no change of shape; LLaMA (1) has 2,048 positions",
    ),
)

MODELS: Final[Mapping[str, ModelShape]] = MappingProxyType({row.name: row for row in _ROWS})
"""Every model by its catalog name."""

_BY_ANY_NAME: Final = MappingProxyType({key.lower(): row for row in _ROWS for key in (row.name, *row.aliases)})


def find_model(name_or_hub_id: str) -> ModelShape | None:
    """The model of this catalog name or hub id; case does not matter, as on the hub."""
    return _BY_ANY_NAME.get(name_or_hub_id.lower())
