"""A user's mistake: one line and exit code 2, never a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class BadInput(Exception):  # noqa: N818 - it is the user's, not the program's
    """`str()` is one line: what is wrong, where, and what would be right."""


def unknown(what: str, name: str, known: Iterable[str]) -> BadInput:
    """`name` is none of `known`; says which one was probably meant."""
    names = list(known)
    close = get_close_matches(name.lower(), [known_name.lower() for known_name in names], n=1)
    meant = next((known_name for known_name in names if close and known_name.lower() == close[0]), None)
    hint = f"did you mean {meant}? " if meant else ""
    return BadInput(f"{what}: {name!r} is not known; {hint}known: {', '.join(names)}")
