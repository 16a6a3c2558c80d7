"""The API reference, from the CRDs' own descriptions."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} entries",
    "maxProperties": "at most {} entries",
    "maxLength": "at most {} characters",
}


def reference(crd: Mapping[str, Any]) -> str:
    """Markdown with one table row for each field of one CRD."""
    (version,) = crd["spec"]["versions"]
    schema, names = version["schema"]["openAPIV3Schema"], crd["spec"]["names"]
    title = f"# {names['kind']} (`{crd['spec']['group']}/{version['name']}`)"
    head = f"Made from `crds/{names['plural']}.yaml` by `make manifests`; short name: `{names['shortNames'][0]}`."
    parts = [title, head, schema["description"]]
    for section in ("spec", "status"):
        rows = list(_rows(schema["properties"][section], section))
        table = ["| field | type | default | description |", "|---|---|---|---|", *rows]
        parts += [f"## {section}", schema["properties"][section]["description"], "\n".join(table)]
    return "\n\n".join(parts) + "\n"


def _rows(schema: Schema, path: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        required = " *(required)*" if name in schema.get("required", ()) else ""
        yield f"| `{here}`{required} | {_type(field)} | {_default(field)} | {_description(field)} |"
        yield from _rows(field.get("items", field), here + ("[]" if "items" in field else ""))


def _type(field: Schema) -> str:
    if "enum" in field:
        return " · ".join(f"`{value or chr(34) * 2}`" for value in field["enum"])
    kind: str = field["type"]
    return "map of strings" if "additionalProperties" in field else kind


def _default(field: Schema) -> str:
    if "default" not in field or field["default"] in ({}, [], ""):
        return ""
    default = field["default"]
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _description(field: Schema) -> str:
    bounds = [words.format(field[key]) for key, words in _BOUNDS.items() if key in field]
    rules = [
        f"`{rule['fieldPath'][1:]}` {rule['message']}" if "fieldPath" in rule else rule["message"]
        for rule in field.get("x-kubernetes-validations", ())
    ]
    limits = "; ".join(bounds)
    text: str = field["description"] + (f" *{limits[0].upper()}{limits[1:]}.*" if limits else "")
    text += "".join(f" *Else refused: {rule}.*" for rule in rules)
    return text.replace("|", "\\|")
