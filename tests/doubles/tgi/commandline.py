"""Reads the command line and the environment as clap 4 does, with its words and its exit codes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.doubles.tgi.flags import FLAGS, USIZE_MAX, Flag, Kind
from tests.doubles.tgi.similar import closest

Value = bool | int | float | str | tuple[int, ...] | tuple[str, ...] | None

PROGRAM: Final = "text-generation-launcher"
VERSION: Final = "3.3.6-dev0"  # what v3.3.7 says of itself: its Cargo.toml was not raised
BAD_USAGE: Final = 2
_TOP: Final = {Kind.U16: 2**16 - 1, Kind.U32: 2**32 - 1}
_NO_ENVIRONMENT: Final = frozenset({"env"})  # `#[clap(long, short, action)]`, without `env`


class CommandLineError(Exception):
    """What clap prints before it exits; code 0 is for --help and --version."""

    def __init__(self, text: str, code: int = BAD_USAGE) -> None:
        super().__init__(text)
        self.code = code


def read(argv: Sequence[str], environ: Mapping[str, str]) -> dict[str, Value]:
    """Every flag's value by its field's name: from the command line, else the environment, else the default.

    Raises CommandLineError.
    """
    given: dict[str, list[str]] = {}
    for flag, text in _given(list(argv)):
        if flag.field in given and flag.kind not in {Kind.TEXTS, Kind.SIZES}:
            raise _with_usage(f"the argument '{flag.shown}' cannot be used multiple times")
        _value(flag, [text])
        given.setdefault(flag.field, []).append(text)
    for flag in FLAGS:
        if flag.field not in given and flag.variable in environ and flag.name not in _NO_ENVIRONMENT:
            given[flag.field] = [environ[flag.variable]]
    return {flag.field: _value(flag, given.get(flag.field)) for flag in FLAGS}


def _given(words: list[str]) -> Iterator[tuple[Flag, str]]:
    while words:
        word = words.pop(0)
        if word in {"-h", "--help"}:
            raise CommandLineError(f"Usage: {PROGRAM} [OPTIONS]\n", 0)
        if word in {"-V", "--version"}:
            raise CommandLineError(f"{PROGRAM} {VERSION}\n", 0)
        flag, attached = _find(word)
        if flag.kind is Kind.SWITCH:
            if attached is not None:
                raise _with_usage(f"unexpected value '{attached}' for '{flag.shown}' found; no more were expected")
            yield flag, "true"
        elif attached is not None:
            yield flag, attached
        elif words and not words[0].startswith("-"):
            yield flag, words.pop(0)
        elif words:
            raise _with_usage(f"unexpected argument '{words[0]}' found")
        else:
            raise _error(f"a value is required for '{flag.shown}' but none was supplied")


def _find(word: str) -> tuple[Flag, str | None]:
    name, equals, value = word.partition("=")
    for flag in FLAGS:
        if name == f"--{flag.name}":
            return flag, value if equals else None
        if flag.short and word.startswith(f"-{flag.short}") and not word.startswith("--"):
            return flag, word[2:].removeprefix("=") or None
    if not word.startswith("--"):
        raise _with_usage(f"unexpected argument '{word}' found")
    near = closest(name, [f"--{flag.name}" for flag in FLAGS])
    tip = "" if near is None else f"\n\n  tip: a similar argument exists: '{near}'"
    raise _with_usage(f"unexpected argument '{name}' found{tip}")


def _value(flag: Flag, texts: Sequence[str] | None) -> Value:
    if texts is None:
        if flag.kind is Kind.SWITCH:
            return False
        if flag.kind is Kind.TEXTS:
            return ()
        return None if flag.default is None else _one(flag, flag.default)
    if flag.kind is Kind.TEXTS:
        return tuple(texts)
    if flag.kind is Kind.SIZES:
        return tuple(_integer(flag, part) for text in texts for part in text.split(","))
    return _one(flag, texts[-1])


def _one(flag: Flag, text: str) -> Value:
    match flag.kind:
        case Kind.SWITCH | Kind.BOOL:
            return _choice(flag, text, ("true", "false")) == "true"
        case Kind.CHOICE:
            return _choice(flag, text, flag.choices)
        case Kind.F32:
            return _number(flag, text)
        case Kind.USIZE | Kind.U16 | Kind.U32 | Kind.U64:
            return _integer(flag, text)
        case _:
            return text


def _choice(flag: Flag, text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        near = closest(text, choices)
        tip = "" if near is None else f"\n\n  tip: a similar value exists: '{near}'"
        raise _error(f"invalid value '{text}' for '{flag.shown}'\n  [possible values: {', '.join(choices)}]{tip}")
    return text


def _number(flag: Flag, text: str) -> float:
    """A Rust f32: no underscores and no blanks, which Python's float would take."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity|nan)", text, re.IGNORECASE):
        reason = "invalid float literal" if text else "cannot parse float from empty string"
        raise _invalid(flag, text, reason)
    return float(text)


def _integer(flag: Flag, text: str) -> int:
    """`usize` is parsed by Rust's FromStr; the sized types by clap's ranges, which name the range."""
    if not text:
        raise _invalid(flag, text, "cannot parse integer from empty string")
    signed = flag.kind in _TOP
    if not re.fullmatch(r"[+-]?[0-9]+" if signed else r"\+?[0-9]+", text, re.ASCII):
        raise _invalid(flag, text, "invalid digit found in string")
    number = int(text[:30])
    if signed and not 0 <= number <= _TOP[flag.kind]:
        raise _invalid(flag, text, f"{text} is not in 0..={_TOP[flag.kind]}")
    if number > USIZE_MAX:
        raise _invalid(flag, text, "number too large to fit in target type")
    return number


def _invalid(flag: Flag, text: str, reason: str) -> CommandLineError:
    return _error(f"invalid value '{text}' for '{flag.shown}': {reason}")


def _error(text: str) -> CommandLineError:
    return CommandLineError(f"error: {text}\n\nFor more information, try '--help'.\n")


def _with_usage(text: str) -> CommandLineError:
    return _error(f"{text}\n\nUsage: {PROGRAM} [OPTIONS]")
