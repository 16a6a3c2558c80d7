"""The records as an auditor reads them: Markdown that is readable as plain text too, one line for each event."""

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from meditron_operator.core.killswitch.records.record import STOPS, Action, Record, in_order
from meditron_operator.core.killswitch.records.verify import Finding, Kind, verify

_NOT_KNOWN: Final = "nobody that the server named (see the API audit log)"


def report(records: Iterable[Record], begins_at: int = 1) -> str:
    """All of them, namespace by namespace, each with the state of its chain."""
    records = list(records)
    ordered = sorted(records, key=lambda record: record.namespace)
    lines = ["# Records of the kill switch", ""]
    for namespace, chain in groupby(ordered, key=lambda record: record.namespace):
        lines += _chapter(namespace, in_order(chain), begins_at)
    return "\n".join(lines if ordered else [*lines, "There are none.", ""])


def _chapter(namespace: str, chain: list[Record], begins_at: int) -> Iterator[str]:
    findings = verify(chain, begins_at)
    broken = [finding for finding in findings if finding.broken]
    yield f"## Namespace {_said(namespace)}"
    yield ""
    if broken:
        yield f"**The chain is broken**, in {len(broken)} places:"
        yield ""
        yield from (f"- {_said(finding.record)}: {clean(finding.message)}" for finding in broken)
    else:
        yield f"The chain of {len(chain)} records is intact."
    yield ""
    yield from (f"- {_line(record, findings)}" for record in chain)
    yield ""


def _line(record: Record, findings: Iterable[Finding]) -> str:
    parts = [_what(record), *_why(record), _outcome(record), _place([f for f in findings if f.record == record.name])]
    return f"{_said(record.name)} {moment(record)}: " + "; ".join(parts)


def _place(about: list[Finding]) -> str:
    """How the record stands in its chain."""
    if any(finding.broken for finding in about):
        return "**chain broken here**"
    if any(finding.kind is Kind.NOT_ANCHORED for finding in about):
        return "not fixed by a later record yet"
    return "fixed but for its outcome" if about else "fixed"


def moment(record: Record) -> str:
    """When it happened, as well as it is known."""
    return clean(record.text("admittedAt") or record.text("seenAt") or record.created_at) or "at a time unknown"


def _what(record: Record) -> str:
    target = f"{clean(record.text('scope'))} {_said(record.text('target'))}"
    actor = _said(record.text("actor")) if record.text("actor") else _NOT_KNOWN
    done = f"**{clean(record.action)}** {clean(str(record.spec.get('mode', '')))} of {target} by {actor}"
    if record.action != Action.RELEASE:
        return done
    return f"{done}, requested by {_said(record.text('requestedBy'))}{_at(record.spec.get('requestedAt'))}"


def _why(record: Record) -> Iterator[str]:
    if record.action in STOPS:
        yield f"because {_said(record.text('reason'))}" if record.text("reason") else "no reason given"
        yield f"ticket {_said(record.text('ticket'))}" if record.text("ticket") else "no ticket"


def _outcome(record: Record) -> str:
    status = record.status
    seconds = status.get("secondsToStop")
    told = f"stopped in {seconds} s, " if isinstance(seconds, int | float) else ""
    match status.get("state"):
        case "Engaged":
            return f"{told}proven{_at(status.get('verifiedAt'))}"
        case "EngagedUnverified":
            return f"{told}**not proven**{_pods(status.get('unconfirmedPods'))}"
        case "Released" | "Resumed" as state:
            return f"outcome {state}"
        case _:
            return "**no outcome**" if record.action in STOPS else "no outcome"


def _pods(pods: Any) -> str:
    named = [_said(str(pod)) for pod in pods] if isinstance(pods, list) else []
    return f", nobody saw {', '.join(named)} end" if named else ""


def _at(when: Any) -> str:
    return f" at {clean(when)}" if isinstance(when, str) and when else ""


def _said(text: str) -> str:
    """Somebody's words: no mark-up of theirs counts."""
    return f"`{clean(text).replace('`', chr(39))}`"


def clean(text: str) -> str:
    """One line that shows all that it holds: no control characters, none that turn or hide text."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    return " ".join(visible.split())
