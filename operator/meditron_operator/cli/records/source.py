"""Where the records come from: a cluster, or what was exported from one."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from meditron_operator import names
from meditron_operator.cli.errors import BadInput
from meditron_operator.cli.files import read_text
from meditron_operator.core.killswitch.records import Record

if TYPE_CHECKING:
    from meditron_operator.shell.access import Access

MAX_BYTES: Final = 256 * 2**20
"""Some hundred thousand records."""

_META: Final = ("name", "namespace", "uid", "creationTimestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What the user asks for."""

    namespace: str | None
    everywhere: bool
    file: str | None
    context: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """Records, and as they are exported: in the same order, and with nothing in them that the server changes."""

    records: tuple[Record, ...]
    objects: tuple[dict[str, Any], ...]
    namespace: str | None  # the only one that was asked for


def read(where: Where) -> Found:
    """The records that the user means, the oldest of each namespace first. Raises BadInput."""
    if where.namespace is not None and where.everywhere:
        raise BadInput("--namespace and --all-namespaces: one of them")
    if where.file is not None:
        return _sorted(_parsed(where.file), where.namespace)
    return _sorted(*_listed(where))


def read_copy(path: str, namespace: str | None) -> tuple[Record, ...]:
    """An earlier export, of the namespace that is looked at. Raises BadInput."""
    return _sorted(_parsed(path), namespace).records


def _sorted(objects: Iterable[Any], namespace: str | None) -> Found:
    pairs = [(Record.of(body), body) for body in objects]
    kept = [pair for pair in pairs if namespace in (None, pair[0].namespace)]
    kept.sort(key=lambda pair: (pair[0].namespace, pair[0].sequence, pair[0].name))
    return Found(tuple(record for record, _ in kept), tuple(_exported(body) for _, body in kept), namespace)


def _exported(body: dict[str, Any]) -> dict[str, Any]:
    meta = {key: body["metadata"][key] for key in _META if key in body["metadata"]}
    parts: dict[str, Any] = {key: body[key] for key in ("spec", "status") if key in body}
    return {"apiVersion": names.API_VERSION, "kind": names.RECORD_KIND, "metadata": meta, **parts}


def _parsed(path: str) -> list[Any]:
    """An export, or what `kubectl get killrecords -A -o json` wrote."""
    text = read_text(path, MAX_BYTES)
    try:
        bodies = _bodies(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: no export of records: {error or type(error).__name__}") from None
    for number, body in enumerate(bodies, 1):
        _check(path, number, body)
    if not bodies:
        raise BadInput(f"{path}: holds no record")
    return bodies


def _bodies(text: str) -> list[Any]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    items = whole.get("items") if isinstance(whole, dict) else None
    return items if isinstance(items, list) else [whole]


def _check(path: str, number: int, body: Any) -> None:
    if not isinstance(body, dict) or body.get("kind") != names.RECORD_KIND:
        raise BadInput(f"{path}: number {number} is no {names.RECORD_KIND}")
    if body.get("apiVersion") != names.API_VERSION:
        raise BadInput(f"{path}: number {number} is not of {names.API_VERSION}, but of {body.get('apiVersion')!r}")
    try:
        Record.of(body)
    except (LookupError, TypeError):
        raise BadInput(f"{path}: number {number} has no name and namespace") from None


def _listed(where: Where) -> tuple[list[Any], str | None]:
    """The records, and whose they are: None for all namespaces'."""
    from meditron_operator.errors import ApiError, NotFoundError  # noqa: PLC0415 - a file needs no cluster
    from meditron_operator.shell.access import load_access  # noqa: PLC0415

    try:
        access = load_access(where.context)
        namespace = None if where.everywhere else where.namespace or access.namespace
        return asyncio.run(_ask(access, namespace)), namespace
    except NotFoundError:
        raise BadInput("this cluster knows no KillRecord: apply crds/killrecords.yaml") from None
    except ApiError as error:
        raise BadInput(f"the records can't be read: {error}") from None


async def _ask(access: "Access", namespace: str | None) -> list[Any]:
    from meditron_operator.shell.cluster import RECORDS  # noqa: PLC0415
    from meditron_operator.shell.person import reaching  # noqa: PLC0415

    async with reaching(access) as person:
        found, _ = await person.list(RECORDS, namespace=namespace or "")
    return found
