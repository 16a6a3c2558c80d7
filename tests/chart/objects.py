"""What the chart renders, as objects."""

from typing import Any

import yaml

from tests.chart.render import template


def rendered(*arguments: str) -> list[dict[str, Any]]:
    """The chart's objects."""
    return [body for body in yaml.safe_load_all(template(*arguments)) if body]


def found(kind: str, name: str, *arguments: str) -> dict[str, Any]:
    """The one object of that kind and name."""
    (body,) = [body for body in rendered(*arguments) if (body["kind"], body["metadata"]["name"]) == (kind, name)]
    return dict(body)


def kinds(*arguments: str) -> set[str]:
    return {body["kind"] for body in yaml.safe_load_all(template(*arguments)) if body}
