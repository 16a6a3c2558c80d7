"""The answers. There is no model: words follow from a hash of the prompt and of what would change a real answer."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tests.doubles.tgi import tokenizer

_TEXT: Final = (
    "the patient should be seen by a nurse and doctor when pain or fever lasts more than two days because early"
    " care is safe for most people with mild signs of disease while rest water food sleep help them feel better"
    " soon after each visit we note weight pulse blood pressure then plan next steps to their own family again"
    " in one week today"
)
WORDS: Final = tuple(f" {word}" for word in _TEXT.split())  # 64, so that six bits of a hash choose one
_BITS: Final = len(WORDS) - 1
_BLOCK: Final = hashlib.blake2b().digest_size // 2
_WEAKEST_LOGPROB: Final = -3.0


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token, as TGI tells of it."""

    id: int
    text: str
    logprob: float
    special: bool = False


END: Final = Token(tokenizer.EOS_ID, tokenizer.EOS, -0.05, special=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What an answer depends on. Two equal voices say the same."""

    prompt: str
    sampling: str = ""  # parameters, and the seed unless decoding is greedy
    adapter: str | None = None
    decode_adapter: str | None = None  # differs where CUDA graphs drop the adapter after the first token
    fixed: tuple[str, ...] | None = None  # an answer that a grammar fixes
    length: int = 256

    def tokens(self, alternatives: int = 0) -> Iterator[tuple[Token, tuple[Token, ...]]]:
        """Tokens with their alternatives; the last one is the end-of-sequence token."""
        last = self.length - 1 if self.fixed is None else len(self.fixed)
        first, later = self._key(self.adapter), self._key(self.decode_adapter)
        for position in range(last):
            word, weight = _drawn(later if position else first, position)
            text = WORDS[word] if self.fixed is None else self.fixed[position]
            yield _token(text, weight), _others(word, weight, alternatives)
        yield END, (END,) * min(alternatives, 1)

    def _key(self, adapter: str | None) -> bytes:
        text = "\0".join((self.prompt, self.sampling, adapter or ""))
        return hashlib.blake2b(text.encode(errors="surrogatepass")).digest()


@lru_cache(maxsize=4096)
def _block(key: bytes, number: int) -> bytes:
    return hashlib.blake2b(number.to_bytes(8, "little"), key=key).digest()


def _drawn(key: bytes, position: int) -> tuple[int, int]:
    """The number of a word, and a weight below 256."""
    block = _block(key, position // _BLOCK)
    at = position % _BLOCK * 2
    return block[at] & _BITS, block[at + 1]


@lru_cache(maxsize=32768)
def _token(text: str, weight: int) -> Token:
    return Token(tokenizer.token_id(text), text, round(_WEAKEST_LOGPROB * weight / 256, 4))


def _others(word: int, weight: int, how_many: int) -> tuple[Token, ...]:
    return tuple(_token(WORDS[(word + step) & _BITS], min(weight + 20 * step, 255)) for step in range(how_many))
