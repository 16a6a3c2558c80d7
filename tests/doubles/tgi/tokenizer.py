"""A tokenizer of the double's own, whose counts behave like a real one's: longer text has more tokens.

A token is up to eight characters of a word with the blanks before it, so a short word is one token. A
request's prompt starts with one special token, as Llama's does.
"""

import re
import zlib
from dataclasses import dataclass
from typing import Final

VOCABULARY: Final = 32000
BOS_ID: Final = 1
EOS_ID: Final = 2
EOS: Final = "</s>"
_SPECIALS: Final = 3
_PIECE: Final = re.compile(r"\s{0,8}\S{1,8}|\s{1,8}")


@dataclass(frozen=True, slots=True)
class Piece:
    """A token of a prompt. Positions count characters."""

    id: int
    text: str
    start: int
    stop: int


def token_id(text: str) -> int:
    return _SPECIALS + zlib.crc32(text.encode()) % (VOCABULARY - _SPECIALS)


def count(text: str, *, special: bool = True) -> int:
    return int(special) + sum(1 for _ in _PIECE.finditer(text))


def encode(text: str, *, special: bool = True, truncate: int | None = None) -> list[Piece]:
    """With `truncate`, the last so many tokens: TGI cuts prompts on the left."""
    pieces = [Piece(BOS_ID, "", 0, 0)] if special else []
    pieces += [Piece(token_id(found[0]), found[0], found.start(), found.end()) for found in _PIECE.finditer(text)]
    return pieces if truncate is None else pieces[-truncate:]


def split(text: str) -> list[str]:
    """The texts of the tokens that make up `text`."""
    return _PIECE.findall(text)
