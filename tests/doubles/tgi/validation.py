"""Which requests are accepted, in TGI's order and words (R validation.rs, Validation::validate)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.doubles.tgi import grammar, tokenizer
from tests.doubles.tgi.errors import ValidationError
from tests.doubles.tgi.model import Voice
from tests.doubles.tgi.requests import Wanted

# Longer generations are cut into pieces of this size, each of which waits in the queue again.
GENERATION_LENGTH: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one server, settled by the warm-up."""

    max_best_of: int
    max_stop_sequences: int
    max_top_n_tokens: int
    max_input_tokens: int
    max_total_tokens: int
    grammar_support: bool
    prefill_logprobs: bool
    answer_tokens: int
    adapters: frozenset[str]
    graphs_drop_adapters: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Valid:
    """A request as the queue takes it."""

    input_length: int
    chunk: int  # tokens that the queue reserves room for
    max_new_tokens: int
    stop: tuple[str, ...]
    seed: int | None
    top_n_tokens: int
    voice: Voice
    prefill: tuple[tokenizer.Piece, ...] = ()


def validate(wanted: Wanted, limits: Limits, new_seed: Callable[[], int]) -> Valid:
    """Raises ValidationError."""
    _check_sampling(wanted)
    _check_lengths(wanted, limits)
    seed = new_seed() if wanted.seed is None else wanted.seed
    length = _input_length(wanted, limits)
    total = max(0, limits.max_total_tokens - length) if wanted.max_new_tokens is None else wanted.max_new_tokens
    chunk = min(total, GENERATION_LENGTH)
    if length + chunk > limits.max_total_tokens:
        raise ValidationError(
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
            f"Given: {length} `inputs` tokens and {chunk} `max_new_tokens`"
        )
    if length > limits.max_input_tokens:
        raise ValidationError(f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {length}")
    fixed = _fixed(wanted, limits)
    sampled = _samples(wanted)
    return Valid(
        input_length=length,
        chunk=chunk,
        max_new_tokens=total,
        stop=wanted.stop,
        seed=seed if sampled else None,
        top_n_tokens=wanted.top_n_tokens or 0,
        voice=_voice(wanted, limits, seed if sampled else None, fixed),
        prefill=_prefill(wanted, limits),
    )


def check_best_of(best_of: int, limits: Limits) -> None:
    """Raises ValidationError."""
    if limits.max_best_of == 1 and best_of != 1:
        raise ValidationError("`best_of` != 1 is not allowed for this endpoint")
    if best_of > limits.max_best_of:
        raise ValidationError(f"`best_of` must be > 0 and <= {limits.max_best_of}. Given: {best_of}")


def check_stream(wanted: Wanted) -> None:
    """Raises ValidationError."""
    if wanted.best_of not in {None, 1}:
        raise ValidationError("`best_of` != 1 is not supported when streaming tokens")
    if wanted.decoder_input_details:
        raise ValidationError("`decoder_input_details` == true is not supported when streaming tokens")


def _samples(wanted: Wanted) -> bool:
    asked = (wanted.temperature, wanted.top_k, wanted.top_p, wanted.typical_p)
    return wanted.do_sample or any(value is not None for value in asked)


def _check_sampling(wanted: Wanted) -> None:
    if (wanted.best_of or 1) > 1 and not _samples(wanted):
        raise ValidationError("you must use sampling when `best_of` is > 1")
    if wanted.temperature is not None and wanted.temperature <= 0.0:
        raise ValidationError("`temperature` must be strictly positive")
    if wanted.repetition_penalty is not None and wanted.repetition_penalty <= 0.0:
        raise ValidationError("`repetition_penalty` must be strictly positive")
    if wanted.frequency_penalty is not None and not -2.0 <= wanted.frequency_penalty <= 2.0:
        raise ValidationError("`frequency_penalty` must be >= -2.0 and <= 2.0")
    for name, value in (("top_p", wanted.top_p), ("typical_p", wanted.typical_p)):
        if value is not None and not 0.0 < value < 1.0:
            raise ValidationError(f"`{name}` must be > 0.0 and < 1.0")
    if wanted.top_k is not None and wanted.top_k <= 0:
        raise ValidationError("`top_k` must be strictly positive")


def _check_lengths(wanted: Wanted, limits: Limits) -> None:
    if wanted.max_new_tokens == 0:
        raise ValidationError("`max_new_tokens` must be strictly positive")
    if len(wanted.stop) > limits.max_stop_sequences:
        raise ValidationError(
            f"`stop` supports up to {limits.max_stop_sequences} stop sequences. Given: {len(wanted.stop)}"
        )
    if wanted.seed is not None and (wanted.best_of or 1) > 1:
        raise ValidationError("`seed` must not be set when `best_of` > 1")
    if (wanted.top_n_tokens or 0) > limits.max_top_n_tokens:
        raise ValidationError(
            f"`top_n_tokens` must be >= 0 and <= {limits.max_top_n_tokens}. Given: {wanted.top_n_tokens}"
        )
    if not wanted.inputs:
        raise ValidationError("`inputs` cannot be empty")
    if wanted.truncate is not None and not 0 < wanted.truncate <= limits.max_input_tokens:
        raise ValidationError(
            f"`truncate` must be strictly positive and less than {limits.max_input_tokens}. Given: {wanted.truncate}"
        )


def _input_length(wanted: Wanted, limits: Limits) -> int:
    length = tokenizer.count(wanted.inputs, special=wanted.special)
    return length if wanted.truncate is None else min(length, wanted.truncate)


def _fixed(wanted: Wanted, limits: Limits) -> tuple[str, ...] | None:
    if wanted.grammar is None:
        return None
    if not limits.grammar_support:
        raise ValidationError("grammar is not supported")
    return grammar.answer(wanted.grammar)


def _voice(wanted: Wanted, limits: Limits, seed: int | None, fixed: tuple[str, ...] | None) -> Voice:
    """An adapter that was not loaded is the base model, and nobody is told (S models/flash_causal_lm.py)."""
    sampling = f"{wanted.repetition_penalty} {wanted.frequency_penalty}"
    if seed is not None:
        sampling += f" {seed} {wanted.temperature} {wanted.top_k} {wanted.top_p} {wanted.typical_p}"
    adapter = wanted.adapter_id if wanted.adapter_id in limits.adapters else None
    return Voice(
        prompt=f"{wanted.truncate}\n{wanted.inputs}",
        sampling=sampling,
        adapter=adapter,
        decode_adapter=None if limits.graphs_drop_adapters else adapter,
        fixed=fixed,
        length=limits.answer_tokens,
    )


def _prefill(wanted: Wanted, limits: Limits) -> tuple[tokenizer.Piece, ...]:
    """Only a server with --enable-prefill-logprobs keeps what it needs for them."""
    if not (wanted.decoder_input_details and limits.prefill_logprobs):
        return ()
    return tuple(tokenizer.encode(wanted.inputs, special=wanted.special, truncate=wanted.truncate))
