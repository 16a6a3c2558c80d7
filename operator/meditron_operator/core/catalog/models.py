"""The models that the guide deploys and compares with: their shapes, from which every byte of sizing follows.

A checkpoint whose `config.json` says otherwise (a vocabulary resized for extra tokens, say) has other sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """One matrix multiplication of a layer, as TGI fuses it."""

    inputs: int
    outputs: int
    tensors: int
    """Of how many matrices of the checkpoint it is fused, side by side."""
    row_sharded: bool
    """True: shards cut its inputs. False: its outputs."""

    @property
    def params(self) -> int:
        return self.inputs * self.outputs


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
    aliases: tuple[str, ...] = ()
    """Hub ids of checkpoints with this shape, quantized ones too."""
    bias_params: int = 0
    """Biases of the linears of all layers; the Llama family has none unless its config says so."""
    tied_embeddings: bool = False
    """True: the checkpoint holds one matrix for embed_tokens and lm_head. TGI loads it twice."""
    stored_bytes_per_number: int = 2
    """Of the checkpoint's own dtype; TGI casts to 16 bit while loading."""
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
    def attention_linears(self) -> tuple[Linear, Linear]:
        """q_proj, k_proj and v_proj in one, then o_proj."""
        outputs = self.attention_width + 2 * self.key_value_width
        return (
            Linear(inputs=self.hidden_size, outputs=outputs, tensors=3, row_sharded=False),
            Linear(inputs=self.attention_width, outputs=self.hidden_size, tensors=1, row_sharded=True),
        )

    @property
    def mlp_linears(self) -> tuple[Linear, Linear]:
        """gate_proj and up_proj in one, then down_proj."""
        return (
            Linear(inputs=self.hidden_size, outputs=2 * self.intermediate_size, tensors=2, row_sharded=False),
            Linear(inputs=self.intermediate_size, outputs=self.hidden_size, tensors=1, row_sharded=True),
        )

    @property
    def linears(self) -> tuple[Linear, ...]:
        """Of one layer: what quantization makes smaller."""
        return self.attention_linears + self.mlp_linears

    @property
    def linear_params(self) -> int:
        """All weights of the linears of all layers."""
        return self.num_hidden_layers * sum(linear.params for linear in self.linears)

    @property
    def embedding_params(self) -> int:
        """embed_tokens; lm_head has as many."""
        return self.vocab_size * self.hidden_size

    @property
    def norm_params(self) -> int:
        """Two RMS norms a layer and the last one."""
        return (2 * self.num_hidden_layers + 1) * self.hidden_size

    @property
    def stored_embedding_params(self) -> int:
        """Of the checkpoint: embed_tokens and, unless tied to it, lm_head."""
        return self.embedding_params * (1 if self.tied_embeddings else 2)

    @property
    def params(self) -> int:
        """Of the checkpoint."""
        return self.linear_params + self.bias_params + self.stored_embedding_params + self.norm_params


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
