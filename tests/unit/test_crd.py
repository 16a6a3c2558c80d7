"""The CRD and the code say the same."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from meditron_operator import names
from meditron_operator.core import spec as spec_module
from meditron_operator.core.engines.environment import RESERVED_ENVIRONMENT
from meditron_operator.core.spec import Spec
from meditron_operator.core.status import View, summarize
from tests.unit.kit import case, cluster

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "crds" / "meditrondeployments.yaml"
CRD = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
VERSION = CRD["spec"]["versions"][0]
OBJECT = VERSION["schema"]["openAPIV3Schema"]
SPEC, STATUS = OBJECT["properties"]["spec"], OBJECT["properties"]["status"]

# JSON schema of pydantic -> keyword of the CRD
KEYWORDS = [
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "type",
    "enum",
    "default",
]


def resolved(node: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """Follow $ref, drop the null of an optional field, turn const into enum."""
    node = {**node}
    if "anyOf" in node:
        (only,) = [branch for branch in node.pop("anyOf") if branch.get("type") != "null"]
        node = {**only, **node}
        if node.get("default", 0) is None:
            del node["default"]
    if "$ref" in node:
        node = {**resolved(defs[node.pop("$ref").rsplit("/", 1)[1]], defs), **node}
    if "const" in node:
        node["enum"] = [node.pop("const")]
    return node


def pairs() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Path, CRD schema and resolved model schema of every field of the spec."""
    model = Spec.model_json_schema(by_alias=True)
    defs = model["$defs"]

    def walk(path: str, crd: dict[str, Any], mine: dict[str, Any]) -> Iterator[Any]:
        mine = resolved(mine, defs)
        yield path, crd, mine
        for name in crd.get("properties", {}).keys() | mine.get("properties", {}).keys():
            yield from walk(f"{path}.{name}", crd["properties"][name], mine["properties"][name])
        if "items" in crd:
            yield from walk(f"{path}[]", crd["items"], mine["items"])

    yield from walk("spec", SPEC, model)


PAIRS = sorted(pairs(), key=lambda pair: pair[0])
IDS = [path for path, _, _ in PAIRS]


def default_of(value: Any) -> Any:
    """A nested model's default is spelled out by pydantic and filled in by the server from {}."""
    return {} if isinstance(value, dict) else value


@pytest.mark.parametrize(("path", "crd", "mine"), PAIRS, ids=IDS)
def test_field_is_the_same_in_both(path: str, crd: dict[str, Any], mine: dict[str, Any]) -> None:
    assert crd.get("properties", {}).keys() == mine.get("properties", {}).keys()
    assert sorted(crd.get("required", [])) == sorted(mine.get("required", []))
    for keyword in KEYWORDS:
        theirs, ours = crd.get(keyword), mine.get(keyword)
        if keyword == "default":
            theirs, ours = default_of(theirs), default_of(ours)
        if keyword == "minLength" and theirs == 1:
            assert not re.search(mine["pattern"], ""), "an empty value has to be refused by the pattern"
            continue
        assert theirs == ours, keyword


def test_the_comparison_reaches_every_field() -> None:
    assert len(PAIRS) > 40
    assert "spec.network.clients[].podLabels" in IDS


def fields(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from fields(f"{path}.{name}", inner)
    if "items" in schema:
        yield f"{path}[]", schema["items"]
        yield from fields(f"{path}[]", schema["items"])


@pytest.mark.parametrize(
    "field", [*fields("spec", SPEC), *fields("status", STATUS), ("spec", SPEC), ("status", STATUS), ("", OBJECT)],
    ids=lambda field: field[0],
)  # fmt: skip
def test_kubectl_explain_has_something_to_say(field: tuple[str, dict[str, Any]]) -> None:
    text = field[1].get("description", "")
    assert len(text) > 3
    assert text.endswith(".")


def rule(words: str) -> str:
    """The one CEL rule that holds these words."""
    rules = [item["rule"] for item in every_rule(OBJECT) if words in item["rule"]]
    assert len(set(rules)) == 1, rules
    return str(rules[0])


def every_rule(schema: Any) -> Iterator[dict[str, str]]:
    if isinstance(schema, dict):
        yield from schema.get("x-kubernetes-validations", ())
        for inner in schema.values():
            yield from every_rule(inner)


def test_every_rule_has_a_message() -> None:
    assert all(item["message"] for item in every_rule(OBJECT))


def test_reserved_environment_is_the_same() -> None:
    assert set(re.findall(r"'([A-Z_]+)'", rule("self.exists(name, name in"))) == RESERVED_ENVIRONMENT


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        ("all(name, name.matches(", spec_module.ENVIRONMENT_NAME),
        ("key.matches(", spec_module.LABEL_KEY),
    ],
)
def test_patterns_of_map_keys_are_the_same(words: str, pattern: re.Pattern[str]) -> None:
    assert f"{words}'{pattern.pattern}')" in rule(words)


def test_pinned_images_are_asked_for_alike() -> None:
    found = [item["rule"] for item in every_rule(OBJECT) if "@sha256" in item["rule"]]
    assert len(found) == 2
    assert all("matches('@sha256:[0-9a-f]{64}$')" in text for text in found)


def test_names_are_the_same() -> None:
    assert CRD["metadata"]["name"] == f"{names.PLURAL}.{names.GROUP}"
    assert CRD["spec"]["group"] == names.GROUP
    assert CRD["spec"]["names"]["kind"] == names.KIND
    assert VERSION["name"] == names.VERSION


def test_the_charts_copy_is_equal() -> None:
    copy = ROOT / "charts" / "meditron-operator" / "crds" / SOURCE.name
    assert copy.read_text(encoding="utf-8") == SOURCE.read_text(encoding="utf-8")


def known(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Paths in `value` that the server would prune, because the schema doesn't have them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in schema.get("properties", {}):
                yield f"{path}.{name}"
            else:
                yield from known(inner, schema["properties"][name], f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from known(inner, schema["items"], f"{path}[]")


@pytest.mark.parametrize("changes", [{}, {"gpu.count": 3}])
def test_the_status_holds_nothing_that_the_server_would_drop(changes: dict[str, Any]) -> None:
    status = summarize(View(case=case(changes), cluster=cluster([])), {}, "2026-01-01T00:00:00Z")
    assert not list(known(status, STATUS, "status"))


def test_printer_columns_show_what_is_there() -> None:
    for column in VERSION["additionalPrinterColumns"]:
        path = column["jsonPath"]
        at = OBJECT
        if path.startswith(".metadata"):
            continue
        for step in path.lstrip(".").split("."):
            at = at["properties"][step]
        assert column["type"] == at["type"]


def test_the_scale_subresource_points_at_real_fields() -> None:
    scale = VERSION["subresources"]["scale"]
    assert scale == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    assert "replicas" in SPEC["properties"]
    assert {"replicas", "selector"} <= STATUS["properties"].keys()
