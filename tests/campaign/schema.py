"""Values that an OpenAPI schema allows, and values that it doesn't."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Schema = Mapping[str, Any]
Path = tuple[str, ...]

_LONG_LIST: Final = 3
"""Items of a list or a map; the bounds are tried besides."""
_OTHER_TYPE: Final[Mapping[str, Any]] = {
    "integer": "many",
    "string": 7,
    "boolean": "yes",
    "array": {"0": "first"},
    "object": ["first"],
}


def settable(schema: Schema, at: Path = ()) -> Iterator[tuple[Path, Schema]]:
    """Every property that can be given by itself, with its schema.

    What is optional and incomplete without others of its kind (`model.shape`) is one value.
    """
    for name, each in schema["properties"].items():
        path = (*at, name)
        needed = name in schema.get("required", ())
        if "properties" in each and (needed or "required" not in each):
            yield from settable(each, path)
        else:
            yield path, each


def optional(schema: Schema, path: Path) -> bool:
    """Whether the property may be left out, as far as the schema alone says."""
    *parents, last = path
    for name in parents:
        schema = schema["properties"][name]
    return last not in schema.get("required", ())


def right(schema: Schema, keys: Sequence[str] = ()) -> SearchStrategy[Any]:
    """Values that the schema allows, its bounds often among them. `keys` are for maps, about whose keys schemas of
    Kubernetes say nothing."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "array" | "object":
            return _several(schema, keys)
        case "string":
            return _strings(schema)
        case "integer":
            least, most = schema["minimum"], schema["maximum"]
            return st.sampled_from([least, most]) | st.integers(least, most)
        case "boolean":
            return st.booleans()
    raise NotImplementedError(f"no values are known for {schema}")


def _several(schema: Schema, keys: Sequence[str]) -> SearchStrategy[Any]:
    if "items" in schema:
        items = right(schema["items"], keys)
        full = items.map(lambda item: [item] * schema["maxItems"])
        return st.lists(items, max_size=_LONG_LIST) | full
    if "additionalProperties" in schema:
        values, least = right(schema["additionalProperties"], keys), schema.get("minProperties", 0)
        return st.dictionaries(st.sampled_from(keys), values, min_size=least, max_size=_LONG_LIST)
    needed = schema.get("required", ())
    each = {name: right(property_, keys) for name, property_ in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: strategy for name, strategy in each.items() if name in needed},
        optional={name: strategy for name, strategy in each.items() if name not in needed},
    )


def _strings(schema: Schema) -> SearchStrategy[str]:
    longest, pattern = schema["maxLength"], schema.get("pattern", "[ -~]*")
    # Where the pattern allows it: most patterns of names do.
    bounds = [text for text in ("a", "a" * longest) if re.fullmatch(pattern, text)]
    matching = st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii"))
    some = matching.filter(lambda text: len(text) <= longest)
    return st.sampled_from(bounds) | some if bounds else some


def wrong(schema: Schema) -> list[Any]:
    """Values that the schema refuses: of another type, beyond each bound, out of the list, incomplete."""
    found: list[Any] = [_OTHER_TYPE[schema["type"]]]
    if "enum" in schema:
        return [*found, "none-of-these" if schema["type"] == "string" else max(schema["enum"]) + 1]
    if "minimum" in schema:
        found += [schema["minimum"] - 1, schema["maximum"] + 1]
    if "maxLength" in schema:
        found.append("a" * (schema["maxLength"] + 1))
    if "pattern" in schema:
        found += [text for text in ("", "-", "two words", "line\n") if not re.fullmatch(schema["pattern"], text)]
    if "maxItems" in schema:
        found.append([{}] * (schema["maxItems"] + 1))
    if "maxProperties" in schema:
        found.append({f"key-{number}": "value" for number in range(schema["maxProperties"] + 1)})
    if schema.get("required"):
        found.append({})
    return found
