"""Which known word an unknown one was perhaps meant to be: Jaro similarity, as clap asks strsim for it."""

from collections.abc import Iterable
from typing import Final

_ENOUGH: Final = 0.7  # clap's own threshold


def closest(word: str, known: Iterable[str]) -> str | None:
    rated = [(jaro(word, other), other) for other in known]
    best = max(rated, default=(0.0, ""))
    return best[1] if best[0] > _ENOUGH else None


def jaro(left: str, right: str) -> float:
    """1 for equal words, 0 for words without a common letter at about the same place."""
    if left == right:
        return 1.0
    reach = max(len(left), len(right)) // 2 - 1
    taken: set[int] = set()
    found = []
    for place, letter in enumerate(left):
        for other in range(max(0, place - reach), min(len(right), place + reach + 1)):
            if other not in taken and right[other] == letter:
                taken.add(other)
                found.append(letter)
                break
    if not found:
        return 0.0
    same_order = [right[other] for other in sorted(taken)]
    swapped = sum(one != other for one, other in zip(found, same_order, strict=True)) / 2
    matches = len(found)
    return (matches / len(left) + matches / len(right) + (matches - swapped) / matches) / 3
