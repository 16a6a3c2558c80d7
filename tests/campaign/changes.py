"""What a person does to the spec of a deployment, one after the other; made by Hypothesis from the CRD's schema."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, Final

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from meditron_operator import names
from tests.campaign.meanings import KEYS, MEANINGS, NARROWED, TOGETHER
from tests.campaign.schema import Path, Schema, optional, right, settable, wrong

Spec = Mapping[str, Any]

_SOURCE: Final = File(__file__).parents[2] / "crds" / f"{names.PLURAL}.yaml"
_MOST_FIELDS: Final = 3
_LONGEST_TOLD: Final = 60
_SURPLUS: Final = 2
_KINDS: Final = ("one", "one", "one", "some", "some", "some", "some", "together", "together", "wrong")


class _Absent:
    """In the place of a value: the field is taken away."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Change:
    """One edit: fields by their path, each with its new value or ABSENT."""

    fields: tuple[tuple[Path, Any], ...]

    def of(self, spec: Spec) -> dict[str, Any]:
        """The spec after it."""
        changed: dict[str, Any] = copy.deepcopy(dict(spec))
        for path, value in self.fields:
            _put(changed, path, value)
        return changed

    def __str__(self) -> str:
        return ", ".join(f"{'.'.join(path)} {_told(value)}" for path, value in self.fields)


def _put(at: dict[str, Any], path: Path, value: Any) -> None:
    *parents, last = path
    for name in parents:
        if value is ABSENT and name not in at:
            return
        at = at.setdefault(name, {})
    if value is ABSENT:
        at.pop(last, None)
    else:
        at[last] = copy.deepcopy(value)


def _told(value: Any) -> str:
    text = repr(value) if value is ABSENT else json.dumps(value)
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"


def spec_schema() -> Schema:
    """Of the CRD's `spec`."""
    definition = yaml.safe_load(_SOURCE.read_text(encoding="utf-8"))
    schema: Schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


SCHEMA: Final = spec_schema()
_SOURCE_FIELD: Final = ("model", "source")
FIELDS: Final[Mapping[Path, Schema]] = {
    path: {**schema, **NARROWED.get(".".join(path), {})}
    for path, schema in settable(SCHEMA)
    if path[: len(_SOURCE_FIELD)] != _SOURCE_FIELD
} | {_SOURCE_FIELD: SCHEMA["properties"]["model"]["properties"]["source"]}
"""What is changed: every property of the spec; the source as a whole, since each half of it shuts the other out."""


@st.composite
def _good_value(draw: st.DrawFn, path: Path) -> Any:
    meanings: tuple[Any, ...] = MEANINGS.get(".".join(path), ())
    if meanings and draw(st.integers(0, 3)) > 0:
        return draw(st.sampled_from(meanings))
    if optional(SCHEMA, path) and draw(st.integers(0, 4)) == 0:
        return ABSENT
    return draw(right(FIELDS[path], KEYS))


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Of one field or a few; in two of ten they belong together, in one of ten a value must be refused."""
    kind = draw(st.sampled_from(_KINDS))
    if kind == "together":
        fields = draw(st.sampled_from(TOGETHER))
        return Change(tuple((tuple(path.split(".")), value) for path, value in fields.items()))
    count = {"one": 1, "wrong": 1}.get(kind) or draw(st.integers(2, _MOST_FIELDS))
    paths = draw(st.lists(st.sampled_from(list(FIELDS)), min_size=count, max_size=count, unique=True))
    values = [draw(_good_value(path)) for path in paths]
    if kind == "wrong":
        needed = [] if optional(SCHEMA, paths[0]) else [ABSENT]
        values[0] = draw(st.sampled_from([*wrong(FIELDS[paths[0]]), *needed]))
    return Change(tuple(zip(paths, values, strict=True)))


def sequences(count: int, length: int, begin: str) -> list[tuple[Change, ...]]:
    """So many sequences of so many changes; the same for the same `begin` in the same tree.

    Hypothesis makes the changes, and does not run them: each takes real seconds, many run side by side, and shrinking
    would take hours. It begins with the simplest ones and makes others by altering what it has, so more are made than
    are used, and what comes one after the other goes to different sequences.
    """
    wanted, found = count * length, dict[str, Change]()

    @seed(begin)
    @settings(
        max_examples=_SURPLUS * wanted,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(changes())
    def collect(made: Change) -> None:
        found.setdefault(str(made), made)

    collect()
    distinct = list(found.values())
    used = distinct[:: max(1, len(distinct) // wanted)]
    return [tuple(used[first::count][:length]) for first in range(count)]
