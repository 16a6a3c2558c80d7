"""Answers that a grammar fixes: for a JSON schema, the smallest instance of it.

A regular expression is accepted and not followed: the double can't generate from one.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.doubles.tgi import tokenizer
from tests.doubles.tgi.errors import ValidationError

_DEEPEST: Final = 16
_EXAMPLES: Final[dict[object, Any]] = {
    "string": "text",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "null": None,
    "array": [],
}


def answer(grammar: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The tokens of the answer, or None where the grammar is not followed. Raises ValidationError."""
    kind, value = grammar["type"], grammar["value"]
    if kind == "regex":
        return None
    if kind not in {"json", "json_object", "json_schema"}:
        raise ValidationError("grammar is not supported")
    if isinstance(value, str):
        value = _parsed(value)
    if kind == "json_schema" and isinstance(value, dict):
        value = value.get("schema")
    if not isinstance(value, dict):
        raise ValidationError("grammar is not supported")
    if "properties" not in value:
        raise ValidationError("grammar is not valid: Grammar must have a 'properties' field")
    return tuple(tokenizer.split(json.dumps(_example(value, 0), ensure_ascii=False)))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValidationError(f"grammar is not valid: {error}") from None


def _example(schema: object, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    if "const" in schema:
        return schema["const"]
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return options[0]
    properties = schema.get("properties")
    if isinstance(properties, dict):
        return {str(name): _example(part, depth + 1) for name, part in properties.items()}
    kind = schema.get("type")
    return {} if kind == "object" or not isinstance(kind, str) else _EXAMPLES.get(kind)
