"""Facts of a checkpoint: of the config.json and the weights that a user has, or of a repository on the Hub."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from meditron_operator.cli.errors import BadInput
from meditron_operator.cli.files import STDIN, read_text
from meditron_operator.core.checkpoint import CheckpointError, Facts, read_config, read_index, weight_files
from meditron_operator.core.checkpoint.weights import INDEX
from meditron_operator.core.sizing import WeightFiles
from meditron_operator.errors import HubError
from meditron_operator.shell import hub

CACHE_VARIABLE: Final = "XDG_CACHE_HOME"


def read_checkpoint(path: str) -> tuple[Facts, WeightFiles | None]:
    """Facts from a config.json, or from the folder of a checkpoint. Raises BadInput."""
    if path == STDIN:
        return _facts("standard input", read_text(path)), None
    given = Path(path)
    config = given / hub.CONFIG if given.is_dir() else given
    quantize = config.parent / hub.QUANTIZE_CONFIG
    quantize_text = read_text(str(quantize)) if quantize.is_file() else None
    facts = _facts(str(config), read_text(str(config)), quantize_text)
    return _named(facts, config.resolve().parent.name), _weights(config.parent)


def ask_hub(repository: str, revision: str | None, endpoint: str | None) -> tuple[Facts, WeightFiles | None]:
    """Facts of a repository from the Hub. Raises BadInput."""
    try:
        return _of(hub.fetch(repository, revision, endpoint, _cache()))
    except HubError as error:
        raise BadInput(f"--model: {error}") from None


def recall(repository: str, revision: str) -> tuple[Facts, WeightFiles | None]:
    """Facts of a commit that was fetched before, without a network. Raises BadInput."""
    try:
        return _of(hub.recall(repository, revision, _cache()))
    except HubError as error:
        raise BadInput(f"--model: {error}") from None


def _of(listing: hub.Listing) -> tuple[Facts, WeightFiles | None]:
    facts = _facts(listing.repository, listing.config, listing.quantize_config)
    return facts, weight_files(listing.sizes)


def _cache() -> Path:
    base = os.environ.get(CACHE_VARIABLE)
    return (Path(base) if base else Path.home() / ".cache") / "meditron" / "hub"


def _facts(name: str, text: str, quantize_config: str | None = None) -> Facts:
    try:
        return read_config(name, text, quantize_config)
    except CheckpointError as error:
        raise BadInput(str(error)) from None


def _named(facts: Facts, folder: str) -> Facts:
    """A folder of a checkpoint is usually called like its model."""
    return replace(facts, shape=replace(facts.shape, name=folder or facts.shape.name))


def _weights(folder: Path) -> WeightFiles | None:
    """Sizes of the weights in the folder; every file that its index names must be there."""
    try:
        sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    except OSError as error:
        raise BadInput(f"{folder}: {error.strerror or error}") from None
    index = folder / INDEX
    if index.name in sizes:
        _require_complete(index, frozenset(sizes))
    return weight_files(sizes)


def _require_complete(index: Path, present: frozenset[str]) -> None:
    try:
        missing = sorted(read_index(read_text(str(index))) - present)
    except CheckpointError as error:
        raise BadInput(f"{index}: {error}") from None
    if missing and any(name.endswith(".safetensors") for name in present):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BadInput(f"{index.parent}: incomplete: {missing[0]}{more} of {index.name} not there")
