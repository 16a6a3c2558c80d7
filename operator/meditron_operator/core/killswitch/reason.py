"""The reason of a stop: a person's own words, kept free of what identifies a patient as far as a program can tell.

Names can't be told from other words; the help says so. A reason that is withheld never holds up the stop.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from meditron_operator.core.killswitch import drill

LONGEST_REASON: Final = 1024
LONGEST_TICKET: Final = 256

_EMAIL: Final = re.compile(r"[\w.+%-]+@[\w-]+")
_SIGNS: Final = (
    ("an e-mail address", _EMAIL),
    ("a record number", re.compile(r"\b(?:MRN|SSN|AHV|NHS|patient (?:id|no|number))\b|\bMRN[:#]?\d", re.IGNORECASE)),
    ("a date of birth", re.compile(r"\bDOB\b|\b(?:birth ?day|date of birth)\b|\bborn\b.{0,12}\d", re.IGNORECASE)),
    ("a date", re.compile(r"(?<!\d)(?:\d{4}([-./])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2(?:\d{4}|\d{2}))(?!\d)")),
    ("a long number", re.compile(r"\d(?:[-./]?\d){5,}|\d(?: ?\d){8,}")),
)


@dataclass(frozen=True, slots=True)
class Screened:
    """What may be stored of a person's words, and what is to be said of the rest."""

    text: str | None
    warning: str = ""


def screened_reason(words: str | None) -> Screened:
    """The reason to store. None where none was given, where it looked like a patient's data, or is a drill's."""
    text = _tidy(words or "", LONGEST_REASON)
    if text == drill.REASON:
        return Screened(None, f"the reason was withheld: {text!r} alone is what meditron drill writes")
    sign = next((what for what, pattern in _SIGNS if pattern.search(text)), None)
    return Screened(text or None) if sign is None else Screened(None, f"the reason was withheld: it looked like {sign}")


def screened_ticket(words: str | None) -> Screened:
    """The ticket to store. Its numbers are its own; an e-mail address is somebody's."""
    text = _tidy(words or "", LONGEST_TICKET)
    if _EMAIL.search(text):
        return Screened(None, "the ticket was withheld: it looked like an e-mail address")
    return Screened(text or None)


def _tidy(words: str, longest: int) -> str:
    """One line that every server takes: whatever a terminal passes on must not fail a stop."""
    encoded = words.encode("utf-8", "replace").decode("utf-8")
    printable = "".join(" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in encoded)
    plain = unicodedata.normalize("NFKC", printable)
    visible = "".join(each for each in plain if unicodedata.category(each) != "Cf")
    return " ".join(visible.split())[:longest].rstrip()
