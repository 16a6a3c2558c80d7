"""Byte counts as the API server writes them back."""

from typing import Final

MIB: Final = 2**20
_SUFFIXES: Final = ("Mi", "Gi", "Ti")


def quantity(size_bytes: int) -> str:
    """`size_bytes`, rounded up to a MiB, in the server's canonical form: the largest suffix without a fraction.

    Any other form would come back changed and look like drift.
    """
    amount = -(-size_bytes // MIB)
    for suffix in _SUFFIXES[:-1]:
        if amount == 0 or amount % 1024:
            return f"{amount}{suffix}"
        amount //= 1024
    return f"{amount}{_SUFFIXES[-1]}"
