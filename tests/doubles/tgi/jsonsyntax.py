"""Says of malformed JSON what serde_json says, for the usual mistakes, from what Python's parser found."""

import json
import re
from typing import Final

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_CLOSED_BY: Final = {"{": "}", "[": "]"}


def syntax_words(error: json.JSONDecodeError) -> str:
    """With the place: serde counts what it has read, so at the end of the text its column is one less."""
    text = error.doc
    if error.msg.startswith("Unterminated string"):
        return f"EOF while parsing a string {_place(text, len(text), at_end=True)}"
    if not text[error.pos :].strip():
        return f"EOF while parsing {_unfinished(error)} {_place(text, len(text), at_end=True)}"
    return f"{_wrong(error)} {_place(text, error.pos, at_end=False)}"


def _wrong(error: json.JSONDecodeError) -> str:
    closing = _CLOSED_BY.get(_innermost(error.doc[: error.pos]), "}")
    if error.msg.startswith("Expecting ',' delimiter"):
        return f"expected `,` or `{closing}`"
    if error.msg.startswith("Expecting ':' delimiter"):
        return "expected `:`"
    if error.msg.startswith("Expecting property name"):
        return "trailing comma" if error.doc[error.pos] == "}" else "key must be a string"
    if error.msg.startswith("Invalid control character"):
        return "control character (\\u0000-\\u001F) found while parsing a string"
    return {"Extra data": "trailing characters", "Invalid \\escape": "invalid escape"}.get(error.msg, "expected value")


def _unfinished(error: json.JSONDecodeError) -> str:
    if error.msg.startswith("Expecting value"):
        return "a list" if error.doc.rstrip().endswith("[") else "a value"
    return {"{": "an object", "[": "a list"}.get(_innermost(error.doc), "a value")


def _innermost(text: str) -> str:
    """The bracket that is still open, or an empty string."""
    still_open: list[str] = []
    for bracket in re.findall(r"[][{}]", _STRING.sub("", text)):
        if bracket in _CLOSED_BY:
            still_open.append(bracket)
        elif still_open:
            still_open.pop()
    return still_open[-1] if still_open else ""


def _place(text: str, position: int, *, at_end: bool) -> str:
    lines = text[:position].split("\n")
    return f"at line {len(lines)} column {len(lines[-1]) + (0 if at_end else 1)}"
