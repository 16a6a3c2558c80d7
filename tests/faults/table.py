"""The faults: what happens to which requests."""

from dataclasses import dataclass
from typing import Final

from meditron_operator import names
from tests.faults import kinds
from tests.faults.calls import Call, any_call, verb
from tests.faults.proxy import Rule


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a fault, and for how long."""

    name: str
    what: str
    rules: tuple[Rule, ...]
    seconds: float = 2.0
    cuts_watches: bool = False
    """Cut them in the middle of it too, so that they have to begin again."""


def _writes(call: Call) -> bool:
    return call.writes and call.resource != "leases"


_watches: Final = verb("watch")

ROWS: Final = (
    Row("conflicts", "409 for every second write", (Rule(_writes, kinds.answer(409, "Conflict"), every=2),)),
    Row("unknown", "401 for every request", (Rule(any_call, kinds.answer(401, "Unauthorized")),)),
    Row("too many", "429 with Retry-After: 1 for every request", (Rule(any_call, kinds.answer(429, "Busy", 1)),)),
    Row("errors", "500 for every second request", (Rule(any_call, kinds.answer(500, "InternalError"), every=2),)),
    Row("unavailable", "503 for every request", (Rule(any_call, kinds.answer(503, "Unavailable")),)),
    Row("hung", "writes that are never answered", (Rule(_writes, kinds.hang),)),
    Row("slow", "every answer half a second late", (Rule(lambda call: call.verb != "watch", kinds.late(0.5)),)),
    Row("answer lost", "every second write is done, and its answer lost", (Rule(_writes, kinds.lose_answer, every=2),)),
    Row("connections cut", "every connection cut before the server has seen anything", (Rule(any_call, kinds.drop),)),
    Row(
        "half answers",
        "lists and answers to writes end in their middle",
        (Rule(verb("list", "get", "create", "update", "patch", "delete"), kinds.half),),
        cuts_watches=True,
    ),
    Row("watches cut", "every watch cut each second", (Rule(_watches, kinds.breaks_after(1.0)),), seconds=3.0),
    Row("short watches", "every watch ends in good order after 0.2 s", (Rule(_watches, kinds.ends_after(0.2)),)),
    Row("expired", "410 in every watch", (Rule(_watches, kinds.expired),)),
    Row("bookmarks only", "watches that live and tell nothing", (Rule(_watches, kinds.bookmarks_only),)),
    Row(
        "deployments unseen",
        "the watch of the deployments is refused",
        (Rule(verb("list", "watch", resource=names.PLURAL), kinds.answer(403, "Forbidden")),),
    ),
)
