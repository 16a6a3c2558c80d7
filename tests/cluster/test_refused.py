"""What the API server itself refuses, with the field and the words: nothing of it ever reaches the operator."""

import itertools
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

import pytest
import yaml
from kubernetes.dynamic.exceptions import DynamicApiError

from tests.cluster.accepted import ACCEPTED
from tests.cluster.changes import OCI, PVC, SOURCE, Changes, changed
from tests.cluster.refused import KIND_RULE, REFUSED
from tests.cluster.support import BEGINNING, ROOT, Admin, Audit, Manifest, deployment, strict
from tests.cluster.wards import shared_ward

pytestmark = pytest.mark.cluster

_names = (f"case-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def ward(admin: Admin) -> Iterator[str]:
    """One namespace for the whole table: nothing of it is stored."""
    with shared_ward(admin, "refused") as name:
        yield name


def refusal(error: DynamicApiError) -> Manifest:
    """The server's Status."""
    assert error.body is not None
    body: Manifest = json.loads(error.body)
    assert body["code"] == error.status
    return body


def assert_refused(answer: Manifest, field: str, words: str) -> None:
    """422 with a cause for this field; strict decoding has one message for all unknown fields."""
    if words == "unknown field":
        assert answer["code"] in (400, 422)
        assert f'{words} "{field}"' in answer["message"]
        return
    assert answer["code"] == 422, answer["message"]
    causes = answer["details"]["causes"]
    found = [cause["message"] for cause in causes if cause["field"] == field]
    assert any(words in message for message in found), causes


@pytest.mark.parametrize(("changes", "field", "words"), REFUSED)
def test_is_refused(admin: Admin, ward: str, changes: Changes, field: str, words: str) -> None:
    body = changed(next(_names), ward, changes)

    with pytest.raises(DynamicApiError) as caught:
        admin.create(body, **strict())

    assert_refused(refusal(caught.value), field, words)


def limits(schema: Manifest, path: str) -> Iterator[tuple[int, str, str]]:
    """Every limit and rule below: the schema's identity, which YAML's aliases share, the refused field, the words."""
    for keyword, words in _WORDS.items():
        if keyword in schema:
            yield id(schema), path, words.format(schema[keyword])
    yield from ((id(schema), f"{path}.{name}", "Required value") for name in schema.get("required", ()))
    if "enum" in schema:
        yield id(schema), path, f'"{schema["enum"][:2][-1]}"'
    for rule in schema.get("x-kubernetes-validations", ()):
        yield id(rule), path + rule.get("fieldPath", ""), rule["message"]
    for name, inner in schema.get("properties", {}).items():
        if name != "status":
            yield from limits(inner, f"{path}.{name}")
    if "items" in schema:
        yield from limits(schema["items"], f"{path}[0]")
    if "additionalProperties" in schema:
        yield from limits(schema["additionalProperties"], f"{path}.*")


_WORDS: Final = {
    "minimum": "greater than or equal to {}",
    "maximum": "less than or equal to {}",
    "minLength": "at least {} char",
    "maxLength": "more than {}",
    "pattern": "should match",
    "minProperties": "at least {} prop",
    "maxProperties": "at most {} items",
    "maxItems": "at most {} items",
}


def test_the_table_has_every_limit_and_every_rule() -> None:
    definition = yaml.safe_load((ROOT / "crds" / "meditrondeployments.yaml").read_text())
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rows = [(str(row.values[1]), str(row.values[2])) for row in REFUSED]
    rows.append((SOURCE, KIND_RULE))  # has a test of its own, for it needs an update
    wanted: dict[tuple[int, str], list[str]] = {}
    for identity, field, words in limits(schema, ""):
        wanted.setdefault((identity, words), []).append(field.lstrip("."))

    missing = [
        (fields, words)
        for (_, words), fields in wanted.items()
        if not any(fnmatchcase(row, _literal(field)) and words in text for row, text in rows for field in fields)
    ]

    assert len(wanted) > 60
    assert missing == []


def _literal(field: str) -> str:
    """A pattern in which only the star, for a map's key, is special."""
    return field.replace("[0]", "[[]0]")


@pytest.mark.parametrize("changes", ACCEPTED)
def test_the_neighbour_is_accepted(admin: Admin, ward: str, changes: Changes) -> None:
    """So that no rule refuses more than it says."""
    admin.create(changed(next(_names), ward, changes), **strict(dry_run="All"))


def test_every_mistake_is_told_at_once(admin: Admin, ward: str) -> None:
    body = changed("many", ward, {"spec.replicas": -1, "spec.gpu.count": 99, "spec.model.quantization": "int3"})

    with pytest.raises(DynamicApiError) as caught:
        admin.create(body)

    fields = {cause["field"] for cause in refusal(caught.value)["details"]["causes"]}
    assert {"spec.replicas", "spec.gpu.count", "spec.model.quantization"} <= fields


def test_another_kind_of_source_needs_zero_replicas(admin: Admin, ward: str) -> None:
    """Weights never change under running replicas: refused while there are any, accepted at zero."""
    admin.create(deployment("moved", ward, replicas=1, gpu={"type": "T4"}))
    to_image = {"spec": {"model": {"source": {"persistentVolumeClaim": None, **OCI}}}}

    with pytest.raises(DynamicApiError) as caught:
        admin.patch("MeditronDeployment", ward, "moved", to_image)
    assert_refused(refusal(caught.value), SOURCE, KIND_RULE)
    with pytest.raises(DynamicApiError) as caught:
        admin.patch("MeditronDeployment", ward, "moved", {"spec": {"replicas": 0, **to_image["spec"]}})
    assert_refused(refusal(caught.value), SOURCE, KIND_RULE)

    admin.patch("MeditronDeployment", ward, "moved", {"spec": {"replicas": 0}})
    admin.patch("MeditronDeployment", ward, "moved", to_image)
    back = {"spec": {"replicas": 1, "model": {"source": {"image": None, **PVC}}}}
    stored = admin.patch("MeditronDeployment", ward, "moved", back)
    assert stored["spec"]["model"]["source"] == {"persistentVolumeClaim": {"claimName": "weights", "path": ""}}


def test_another_claim_is_no_other_kind(admin: Admin, ward: str) -> None:
    admin.create(deployment("renewed", ward, replicas=1, gpu={"type": "T4"}))
    other = {"spec": {"model": {"source": {"persistentVolumeClaim": {"claimName": "weights-2"}}}}}
    admin.patch("MeditronDeployment", ward, "renewed", other)


@pytest.mark.parametrize(
    ("patch", "field", "words"),
    [
        pytest.param({"spec": {"gpu": {"type": None}}}, "spec.gpu.type", "Required value", id="field-removed"),
        pytest.param({"spec": {"replicas": 1000}}, "spec.replicas", "less than or equal to 100", id="out-of-range"),
        pytest.param({"spec": {"gpu": {"number": 2}}}, "spec.gpu.number", "unknown field", id="unknown-field"),
    ],
)
def test_a_patch_is_held_to_the_same_rules(admin: Admin, ward: str, patch: Any, field: str, words: str) -> None:
    if admin.get("MeditronDeployment", ward, "patched") is None:
        admin.create(deployment("patched", ward, replicas=0))

    with pytest.raises(DynamicApiError) as caught:
        admin.patch("MeditronDeployment", ward, "patched", patch, **strict())

    assert_refused(refusal(caught.value), field, words)


def test_the_scale_subresource_knows_the_limit(admin: Admin, ward: str) -> None:
    admin.create(deployment("scaled", ward, replicas=0))
    scale = admin.resource("MeditronDeployment").scale
    options = {"name": "scaled", "namespace": ward, "content_type": "application/merge-patch+json"}

    for replicas in (101, -1):
        with pytest.raises(DynamicApiError) as caught:
            scale.patch(body={"spec": {"replicas": replicas}}, **options)
        assert caught.value.status == 422
        assert "spec.replicas" in refusal(caught.value)["message"]
    stored = admin.get("MeditronDeployment", ward, "scaled")
    assert stored is not None
    assert stored["spec"]["replicas"] == 0


def test_a_status_comes_from_the_operator_only(admin: Admin, ward: str) -> None:
    """Who may write deployments can't thereby claim that one is Ready: the main resource ignores `status`."""
    lie = {"phase": "Ready", "readyReplicas": 7, "endpoint": "http://elsewhere:80"}
    stored = admin.create(deployment("boast", ward, replicas=0) | {"status": lie})
    assert "status" not in stored

    patched = admin.patch("MeditronDeployment", ward, "boast", {"status": lie})

    assert patched.get("status", {}).get("phase") != "Ready"
    assert admin.wait_phase(ward, "boast", "Idle")["status"]["readyReplicas"] == 0


def test_none_of_them_stops_a_good_one(admin: Admin, audit: Audit, ward: str) -> None:
    """After the whole table: a deployment in the same namespace serves, and nothing refused was ever seen."""
    admin.create(deployment("good", ward))

    admin.wait_phase(ward, "good", "Ready")

    touched = {
        request.name for request in audit.writes(BEGINNING, ward) if request.resource == "meditrondeployments/status"
    }
    assert not {name for name in touched if name.startswith("case-")}
