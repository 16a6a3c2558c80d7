"""Reads what a user names: a manifest, a config.json, a folder with a checkpoint."""

import stat
import sys
from pathlib import Path
from typing import Any, Final

from meditron_operator.cli.errors import BadInput

STDIN: Final = "-"
MAX_BYTES: Final = 8 * 2**20
"""Above what etcd takes for one object (1.5 MiB) and above every config.json; a list of nodes may be long."""


def read_text(path: str, max_bytes: int = MAX_BYTES) -> str:
    """The text of a regular file, or of standard input for `-`. Raises BadInput."""
    if path == STDIN:
        return _decoded(path, sys.stdin.buffer.read(max_bytes + 1), max_bytes)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise BadInput(f"{path}: not a regular file; to read from a pipe give {STDIN}")
        with Path(path).open("rb") as file:
            return _decoded(path, file.read(max_bytes + 1), max_bytes)
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _decoded(path: str, data: bytes, max_bytes: int) -> str:
    if len(data) > max_bytes:
        raise BadInput(f"{path}: larger than {max_bytes // 2**20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text (byte {error.start})") from None


def read_documents(path: str) -> list[dict[str, Any]]:
    """Every object in a YAML or JSON file; the items of a List one by one. Raises BadInput."""
    import yaml  # noqa: PLC0415 - only commands that read a manifest need it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = [each for each in yaml.load_all(read_text(path), Loader=loader) if each is not None]
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except (RecursionError, ValueError) as error:
        raise BadInput(f"{path}: not YAML: {type(error).__name__}") from None
    objects = [item for document in documents for item in _items(path, document)]
    if not objects:
        raise BadInput(f"{path}: holds no object")
    return objects


def _items(path: str, document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        raise BadInput(f"{path}: holds {type(document).__name__}, not a Kubernetes object")
    if not str(document.get("kind", "")).endswith("List"):
        return [document]
    items = document.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadInput(f"{path}: the items of a {document['kind']} must be objects")
    return items
