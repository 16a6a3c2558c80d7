"""A KillRecord as stored."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Self

from meditron_operator.core.killswitch.effective import Mode

NAME: Final = re.compile(r"kill-(\d{6,18})\Z", flags=re.ASCII)

LONGEST: Final[Mapping[str, int]] = MappingProxyType(
    {
        "actor": 256,
        "requestedBy": 256,
        "reason": 1024,
        "ticket": 256,
        "requestedAt": 32,
        "admittedAt": 32,
        "seenAt": 32,
        "targetUID": 64,
    }
)
"""Characters that the CRD lets a field hold."""
MOST_OUTCOMES: Final = 64
MOST_UNCONFIRMED: Final = 128

_CUT: Final = "…"


class Action(StrEnum):
    """What was done."""

    ENGAGE = "Engage"
    ESCALATE = "Escalate"
    RELEASE = "Release"
    RESUME = "Resume"
    DRILL = "Drill"


STOPS: Final = frozenset({Action.ENGAGE, Action.ESCALATE, Action.DRILL})
"""What holds until two people release it."""


def name_of(sequence: int) -> str:
    """From the number alone: of two guards that write at once, one is told that the name is taken."""
    return f"kill-{sequence:06}"


def cut(field: str, text: str) -> str:
    """As much of it as the field may hold: what a person wrote must not keep a record from being written."""
    longest = LONGEST[field]
    return text if len(text) <= longest else text[: longest - 1] + _CUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record. Its parts stay raw: they are what the hashes are over, also where somebody changed them."""

    namespace: str
    name: str
    spec: Mapping[str, Any]
    status: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = ""
    resource_version: str = ""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Self:
        """Of an object in wire form. Raises LookupError or TypeError for what is no object at all."""
        meta, spec, status = obj["metadata"], obj.get("spec"), obj.get("status")
        namespace, name = meta["namespace"], meta["name"]
        if not isinstance(namespace, str) or not isinstance(name, str):
            raise TypeError("a name that is no text")
        return cls(
            namespace=namespace,
            name=name,
            spec=spec if isinstance(spec, Mapping) else {},
            status=status if isinstance(status, Mapping) else {},
            created_at=str(meta.get("creationTimestamp", "")),
            resource_version=str(meta.get("resourceVersion", "")),
        )

    @property
    def number(self) -> int | None:
        """Of its name, which nobody can give to two records; None for a name that is none of ours."""
        found = NAME.match(self.name)
        return int(found[1]) if found else None

    @property
    def sequence(self) -> int:
        """Zero for one that has no number."""
        return self.number or 0

    @property
    def action(self) -> str:
        return self.text("action")

    @property
    def mode(self) -> Mode:
        return Mode.of(self.spec.get("mode"))

    @property
    def hash(self) -> str:
        return self.text("hash")

    @property
    def outcome(self) -> str | None:
        """Hash of the outcome, once that is final."""
        found = self.status.get("hash")
        return found if isinstance(found, str) else None

    @property
    def anchors(self) -> tuple[tuple[int, str], ...]:
        """Numbers and hashes of the outcomes that it fixes, as far as they can be read."""
        listed = self.spec.get("outcomes")
        return tuple(
            (item["sequence"], item["hash"])
            for item in (listed if isinstance(listed, list) else ())
            if isinstance(item, Mapping) and isinstance(item.get("sequence"), int) and isinstance(item.get("hash"), str)
        )

    def text(self, key: str) -> str:
        """A field of the spec; empty where there is none."""
        found = self.spec.get(key)
        return found if isinstance(found, str) else ""


def in_order(records: Iterable[Record]) -> list[Record]:
    """The oldest first."""
    return sorted(records, key=lambda record: record.sequence)
