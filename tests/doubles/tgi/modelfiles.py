"""What the launcher, the shards and the router learn from a model's files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MAX_CONFIG_BYTES: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """The files of a local model directory, or what stands for those of the Hub."""

    is_directory: bool
    has_weights: bool
    config: dict[str, Any]  # empty: none was found, and the launcher goes on with generic defaults
    tokenizer_config: dict[str, Any]
    chat_template_file: str | None

    @property
    def quantization(self) -> str | None:
        method = self._quantization_config.get("quant_method")
        return method if isinstance(method, str) else None

    @property
    def group_size(self) -> int:
        size = self._quantization_config.get("group_size", -1)
        return size if isinstance(size, int) else -1

    @property
    def keeps_all_scales(self) -> bool:
        """With act-order every shard needs all scales, so they are not split."""
        return self._quantization_config.get("desc_act") is True or self.group_size <= 0

    @property
    def _quantization_config(self) -> dict[str, Any]:
        found = self.config.get("quantization_config")
        return found if isinstance(found, dict) else {}

    def number(self, name: str) -> int | None:
        value = self.config.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def head_size(self) -> int:
        """Llama's, where the configuration says nothing."""
        heads, hidden = self.number("num_attention_heads"), self.number("hidden_size")
        return self.number("head_dim") or (hidden // heads if heads and hidden else 128)


def look(model_id: str) -> ModelFiles:
    """Read a local directory; for anything else (a Hub id) nothing is read, since there is no Hub here."""
    folder = Path(model_id)
    if not folder.is_dir():
        return ModelFiles(
            is_directory=False, has_weights=False, config={}, tokenizer_config={}, chat_template_file=None
        )
    template = read_json(folder / "chat_template.json").get("chat_template")
    return ModelFiles(
        is_directory=True,
        has_weights=any(folder.glob("*.safetensors")),
        config=read_json(folder / "config.json"),
        tokenizer_config=read_json(folder / "tokenizer_config.json"),
        chat_template_file=template if isinstance(template, str) else None,
    )


def read_json(path: Path) -> dict[str, Any]:
    """A file that is absent or wrong is as good as none: the launcher and the router drop the error too."""
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(MAX_CONFIG_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
