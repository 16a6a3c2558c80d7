"""What the commands of `meditron records` print and write."""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from meditron_operator.cli.errors import BadInput
from meditron_operator.cli.records.source import Found
from meditron_operator.core.killswitch.records import Finding, Record, clean, compare, moment, report, verify

INTACT, BROKEN = 0, 1
"""Exit codes; 2 is bad input."""

_COLUMNS: Final = ("NAMESPACE", "NAME", "WHEN", "ACTION", "SCOPE", "TARGET", "MODE", "BY", "STATE", "SECONDS", "REASON")


def show(found: Found, *, as_json: bool) -> None:
    """A table, or everything as JSON."""
    if as_json:
        json.dump(found.objects, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    if not found.records:
        sys.stdout.write(f"No records{_of(found.namespace)}.\n")
        return
    from rich.table import Table  # noqa: PLC0415 - JSON needs no rich
    from rich.text import Text  # noqa: PLC0415

    from meditron_operator.cli.present.screen import screen  # noqa: PLC0415

    table = Table(*_COLUMNS, box=None, header_style="bold", pad_edge=False)
    for record in found.records:
        table.add_row(*(Text(cell) for cell in _cells(record)))  # a Text: nobody's words are mark-up
    screen().show(table)


def _cells(record: Record) -> list[str]:
    said = [record.text(key) for key in ("action", "scope", "target", "mode", "actor")]
    told = [str(record.status.get(key, "")) for key in ("state", "secondsToStop")]
    return [
        clean(cell) for cell in (record.namespace, record.name, moment(record), *said, *told, record.text("reason"))
    ]


def check(found: Found, copy: Iterable[Record], begins_at: int) -> int:
    """Say of each namespace whether its chain is intact, and if not, where it breaks; the exit code."""
    copy = list(copy)
    findings = [*verify(found.records, begins_at), *compare(copy, found.records, begins_at)]
    counts = {name: len(list(chain)) for name, chain in groupby(found.records, key=lambda record: record.namespace)}
    for namespace in sorted({*counts, *(finding.namespace for finding in findings)}):
        about = [finding for finding in findings if finding.namespace == namespace]
        sys.stdout.writelines(f"{line}\n" for line in _verdict(namespace, counts.get(namespace, 0), about))
    if not counts and not findings:
        sys.stdout.write(f"No records{_of(found.namespace)}.\n")
    return BROKEN if any(finding.broken for finding in findings) else INTACT


def _verdict(namespace: str, count: int, findings: list[Finding]) -> Iterator[str]:
    broken = any(finding.broken for finding in findings)
    yield f"{clean(namespace)}: {count} record{'' if count == 1 else 's'}, {'BROKEN' if broken else 'intact'}"
    for finding in sorted(findings, key=lambda finding: not finding.broken):
        mark = "BROKEN " if finding.broken else "note   "
        yield f"  {mark} {clean(finding.record)}: {clean(finding.message)}"


def _of(namespace: str | None) -> str:
    return f" in the namespace {namespace}" if namespace else ""


def as_jsonl(found: Found) -> str:
    """One record a line, with every field that the hashes are over."""
    return "".join(json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n" for body in found.objects)


def as_report(found: Found, begins_at: int) -> str:
    return report(found.records, begins_at)


def write(text: str, path: str | None) -> None:
    """To standard output, or to a file that is not there yet: an export is evidence. Raises BadInput."""
    if path is None:
        sys.stdout.write(text)
        return
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise BadInput(f"{path}: is there already; an export replaces none") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from None
