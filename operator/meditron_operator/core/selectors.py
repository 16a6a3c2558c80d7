"""Kubernetes label selectors."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

_OPERATORS: Final[Mapping[str, Callable[[str | None, list[str]], bool]]] = MappingProxyType(
    {
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,
        "Exists": lambda value, _: value is not None,
        "DoesNotExist": lambda value, _: value is None,
    }
)


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector in wire form selects something with these labels; an empty one selects all."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    return all(
        _OPERATORS[rule["operator"]](labels.get(rule["key"]), rule.get("values", []))
        for rule in selector.get("matchExpressions", ())
    )
