"""The faults: what happens to which requests."""

from dataclasses import dataclass, replace
from typing import Final

from meditron_operator import names
from meditron_operator.shell.cluster import CHILDREN
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
    kills: str = ""
    """A program of the control plane that dies in the middle of it, and starts again at its end."""


def _writes(call: Call) -> bool:
    return call.writes and call.resource != "leases"


def _lists(call: Call) -> bool:
    return call.verb == "list"


_watches: Final = verb("watch")
_relist: Final = Rule(_watches, kinds.expired)
_KINDS_WATCHED: Final = len(CHILDREN) + 4  # and deployments, pods, nodes, namespaces

ROWS: Final = (
    Row("conflicts", "409 for every second write", (Rule(_writes, kinds.answer(409, "Conflict"), every=2),)),
    Row("nothing but conflicts", "409 for every write", (Rule(_writes, kinds.answer(409, "Conflict")),)),
    Row("refused", "403 for every write", (Rule(_writes, kinds.answer(403, "Forbidden")),)),
    Row("invalid", "422 for every write", (Rule(_writes, kinds.answer(422, "Invalid")),)),
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
    Row("web page", "a proxy's web page, with a 200, for every request", (Rule(any_call, kinds.page),)),
    Row(
        "empty lists",
        "lists that are empty, and 410 in every watch",
        (Rule(_lists, kinds.listed(kinds.nothing)), _relist),
    ),
    Row(
        "one empty list",
        "410 in every watch, one list of each kind that is empty, and watches that work from there",
        (Rule(_lists, kinds.listed(kinds.nothing)), replace(_relist, times=_KINDS_WATCHED)),
    ),
    Row(
        "half lists",
        "lists of every other object, and 410 in every watch",
        (Rule(_lists, kinds.listed(kinds.every_other)), _relist),
    ),
    Row("watches cut", "every watch cut each second", (Rule(_watches, kinds.breaks_after(1.0)),), seconds=3.0),
    Row("short watches", "every watch ends in good order after 0.2 s", (Rule(_watches, kinds.ends_after(0.2)),)),
    Row("expired", "410 in every watch", (_relist,)),
    Row("garbled", "a line that is no event before each event of a watch", (Rule(_watches, kinds.garbled),)),
    Row("bookmarks only", "watches that live and tell nothing", (Rule(_watches, kinds.bookmarks_only),)),
    Row(
        "deployments unseen",
        "the watch of the deployments is refused",
        (Rule(verb("list", "watch", resource=names.PLURAL), kinds.answer(403, "Forbidden")),),
    ),
    Row(
        "server restarted",
        "the API server is killed, starts again, and is away until it admits our kinds",
        (Rule(any_call, kinds.drop),),
        seconds=1.0,
        kills="kube-apiserver",
    ),
)
