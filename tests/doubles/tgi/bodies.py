"""JSON bodies as axum and serde refuse them: with their status codes and words.

The place at the end of a message about data (`at line 1 column 9`) is that of the end of the body: serde's own
place, for a field that is missing at the top. For a wrong type serde names an earlier one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from tests.doubles.tgi.jsonsyntax import syntax_words

_SYNTAX: Final = "Failed to parse the request body as JSON"
_DATA: Final = "Failed to deserialize the JSON body into the target type"
_INTEGERS: Final = {
    "usize": (0, 2**64 - 1),
    "u64": (0, 2**64 - 1),
    "u32": (0, 2**32 - 1),
    "i32": (-(2**31), 2**31 - 1),
}
_DEEPEST: Final = 127  # serde_json's recursion limit


class BodyError(Exception):
    """A rejection in plain text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class MismatchError(Exception):
    """A value that is not of the wanted type. `path` is where, in serde's notation."""

    def __init__(self, text: str, path: str = "") -> None:
        super().__init__(text)
        self.path = path

    def under(self, name: str) -> "MismatchError":
        path = f"{name}{self.path}" if self.path.startswith("[") or not self.path else f"{name}.{self.path}"
        return MismatchError(str(self), path)


Reader = Callable[[Any], Any]


def parse(body: bytes, content_type: str, shape: "Shape") -> dict[str, Any]:
    """The fields of `shape`, defaults filled in. Raises BodyError."""
    value = load(body, content_type)
    try:
        return shape(value)
    except MismatchError as wrong:
        _refuse_data(body, wrong)


def fitting(body: bytes, content_type: str, shape: "Shape") -> dict[str, Any] | None:
    """The body as a value of `shape`, or None. Raises BodyError for what is no JSON."""
    try:
        return shape(load(body, content_type))
    except MismatchError:
        return None


def no_variant(name: str) -> BodyError:
    """What an untagged enum says when nothing fits."""
    return BodyError(422, f"{_DATA}: data did not match any variant of untagged enum {name}")


def check_type(content_type: str) -> None:
    """Raises BodyError, before a byte of the body is read."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise BodyError(415, "Expected request with `Content-Type: application/json`")


def load(body: bytes, content_type: str) -> Any:
    """Any JSON. Raises BodyError."""
    check_type(content_type)
    try:
        text = body.decode()
        value = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BodyError(400, f"{_SYNTAX}: {syntax_words(error)}") from None
    except RecursionError:
        raise BodyError(400, f"{_SYNTAX}: recursion limit exceeded at line 1 column {_DEEPEST + 1}") from None
    except ValueError:  # no UTF-8, NaN, or a number of thousands of digits
        raise BodyError(400, f"{_SYNTAX}: expected value at line 1 column 1") from None
    if "\\u" in text and _has_lone_surrogate(value):
        raise BodyError(400, f"{_SYNTAX}: lone leading surrogate in hex escape at {_end(body)}")
    return value


def _no_constant(_name: str) -> NoReturn:
    raise ValueError


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _refuse_data(body: bytes, wrong: MismatchError) -> NoReturn:
    where = f"{wrong.path}: " if wrong.path else ""
    raise BodyError(422, f"{_DATA}: {where}{wrong} at {_end(body)}") from None


def _end(body: bytes) -> str:
    lines = body.rstrip().split(b"\n")
    return f"line {len(lines)} column {len(lines[-1])}"


def _found(value: object) -> str:
    """How serde names what it found."""
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"{'integer' if isinstance(value, int) else 'floating point'} `{value}`"
    if isinstance(value, str):
        return f"string {json.dumps(value, ensure_ascii=False)}"
    return {type(None): "null", list: "sequence"}.get(type(value), "map")


def _not(value: object, wanted: str) -> NoReturn:
    raise MismatchError(f"invalid type: {_found(value)}, expected {wanted}")


def integer(wanted: str) -> Reader:
    """A Rust integer type, by its name."""
    low, high = _INTEGERS[wanted]

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            _not(value, wanted)
        if not low <= value <= high:
            raise MismatchError(f"invalid value: {_found(value)}, expected {wanted}")
        return value

    return read


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _not(value, "f32")
    return float(value)


def text(value: Any) -> str:
    return value if isinstance(value, str) else _not(value, "a string")


def boolean(value: Any) -> bool:
    return value if isinstance(value, bool) else _not(value, "a boolean")


def anything(value: Any) -> Any:
    return value


def optional(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def listed(read: Reader) -> Reader:
    def read_all(value: Any) -> list[Any]:
        if not isinstance(value, list):
            _not(value, "a sequence")
        result = []
        for position, item in enumerate(value):
            try:
                result.append(read(item))
            except MismatchError as wrong:
                raise wrong.under(f"[{position}]") from None
        return result

    return read_all


def one_of(name: str, *readers: Reader) -> Reader:
    """An untagged enum: the first variant that fits."""

    def read(value: Any) -> Any:
        for reader in readers:
            try:
                return reader(value)
            except MismatchError:
                continue
        raise MismatchError(f"data did not match any variant of untagged enum {name}")

    return read


_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct; without a default it must be there."""

    read: Reader
    default: Any = _REQUIRED
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """A struct: fields that it does not know are ignored, as serde does."""

    name: str
    fields: Mapping[str, Field] = field(default_factory=dict)

    def __call__(self, value: Any) -> dict[str, Any]:
        if isinstance(value, list):
            return self._of_list(value)
        if not isinstance(value, dict):
            _not(value, f"struct {self.name}")
        result = {}
        for name, wanted in self.fields.items():
            given = next((known for known in (name, *wanted.aliases) if known in value), None)
            if given is None:
                if wanted.default is _REQUIRED:
                    raise MismatchError(f"missing field `{name}`")
                result[name] = wanted.default
                continue
            try:
                result[name] = wanted.read(value[given])
            except MismatchError as wrong:
                raise wrong.under(name) from None
        return result

    def _of_list(self, values: list[Any]) -> dict[str, Any]:
        """serde takes a struct's fields from an array too, in their order."""
        given = dict(zip(self.fields, values, strict=False))
        if any(wanted.default is _REQUIRED and name not in given for name, wanted in self.fields.items()):
            wanted_length = f"struct {self.name} with {len(self.fields)} elements"
            raise MismatchError(f"invalid length {len(values)}, expected {wanted_length}")
        return self(given)
