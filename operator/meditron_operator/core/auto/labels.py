"""Reading the labels of GPU feature discovery: anybody who may label nodes may have written them."""

import re
from collections.abc import Mapping
from typing import Final

_MIB: Final = 2**20
_NUMBER: Final = re.compile(r"[0-9]{1,8}")  # of MiB that is 95 TiB: no card, and no overflow further on

SHARED: Final = "shared between pods (time slicing or MPS): its memory is not ours alone"


class Unreadable(Exception):  # noqa: N818 - what it says is about a label, not about us
    """A label that is needed is missing or no number; `str()` names it."""


def number(labels: Mapping[str, str], key: str, *, least: int = 1) -> int:
    """The whole number that a label holds. Raises Unreadable."""
    text = labels.get(key)
    if text is None:
        raise Unreadable(f"no label {key}")
    if not _NUMBER.fullmatch(text) or int(text) < least:
        raise Unreadable(f"label {key} is {text!r}, no number that makes sense")
    return int(text)


def cuda_total(memory_mib: int) -> int:
    """Bytes that CUDA will report of a card at least: in the table it is 97.3 to 99.9 % of nvidia-smi's figure."""
    return memory_mib * _MIB * 965 // 1000


def sharing(labels: Mapping[str, str], resource: str) -> str | None:
    """Why a resource is not a card of one's own; None when it is."""
    strategy = labels.get(f"{resource}.sharing-strategy", "none")
    replicas = labels.get(f"{resource}.replicas", "1")
    if strategy in ("", "none") and replicas in ("", "0", "1"):
        return None
    return f"{SHARED} ({replicas} replicas of each card)" if replicas not in ("", "0", "1") else SHARED
