"""The expected table: who × where × port × state, whether policies let it through and what is seen then. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.isolation.people import ENGINES, OUTSIDE_POLICIES, Who

SERVING: Final = 8080
CONTROL: Final = 8081
"""The double's: it listens, and nobody was promised it."""
CLOSED: Final = 8082


class State(StrEnum):
    """Of the first deployment. The second one serves all the time."""

    LOADING = "loading"
    SERVING = "serving"
    STOPPING = "stopped, pod still there"
    STOPPED = "stopped, pod gone"


class Where(StrEnum):
    """What is connected to."""

    POD = "pod"
    SERVICE = "Service"
    HEADLESS = "headless Service"
    SECOND_POD = "second pod"
    SECOND_SERVICE = "second Service"
    SECOND_HEADLESS = "second headless Service"
    API = "API server's Service"
    API_NODE = "API server at the node"
    KUBELET = "kubelet"
    DNS = "DNS"
    DNS_UDP = "DNS over UDP"
    BESIDE = "pod beside it"
    ELSEWHERE = "pod in another namespace"
    INTERNET = "internet"


class Outcome(StrEnum):
    """What a prober sees."""

    CONNECTS = "connects"
    REFUSED = "refused"
    """By who is there: the attempt got through, and nothing listens."""
    SILENT = "silent"
    """Nothing came back before the time-out: dropped."""
    NO_ADDRESS = "no address"
    """The name would resolve to nothing."""


_FIRST: Final = (Where.POD, Where.SERVICE, Where.HEADLESS)
_SECOND: Final = (Where.SECOND_POD, Where.SECOND_SERVICE, Where.SECOND_HEADLESS)
_SERVICES: Final = (Where.SERVICE, Where.SECOND_SERVICE)
OUTWARD: Final = tuple(where for where in Where if where not in (*_FIRST, *_SECOND))
CONNECTORS_OUT: Final = (*ENGINES, Who.BESIDE)
"""Who tries to get out: the engines, and a pod without policies, which shows that there is somebody to reach."""

ADMITTED: Final[Mapping[State, frozenset[Who]]] = {
    State.LOADING: frozenset({Who.NAMED, Who.MONITORING, Who.OPERATOR}),
    State.SERVING: frozenset({Who.NAMED, Who.MONITORING, Who.OPERATOR}),
    State.STOPPING: frozenset({Who.OPERATOR}),
    State.STOPPED: frozenset({Who.OPERATOR}),
}
"""To the first deployment's serving port. To any other port: nobody."""

ADMITTED_TO_SECOND: Final = frozenset({Who.SECONDS_CLIENT, Who.MONITORING, Who.OPERATOR})


@dataclass(frozen=True, slots=True)
class Cell:
    """One attempt."""

    state: State
    who: Who
    where: Where
    port: int | None
    """None: the only one there."""

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.state}: {self.who} → {self.where}{port}"

    @property
    def to_first(self) -> bool:
        return self.where in _FIRST

    @property
    def to_second(self) -> bool:
        return self.where in _SECOND

    @property
    def by_service(self) -> bool:
        """By a virtual address, which leads to ready pods only."""
        return self.where in _SERVICES


INWARD: Final = (
    *((where, port) for where in (Where.POD, Where.SECOND_POD) for port in (SERVING, CONTROL, CLOSED)),
    *((where, port) for where in _SERVICES for port in (SERVING, CONTROL)),
    *((where, SERVING) for where in (Where.HEADLESS, Where.SECOND_HEADLESS)),
)


def cells() -> Iterator[Cell]:
    """The whole table."""
    for state in State:
        for who in Who:
            yield from (Cell(state, who, where, port) for where, port in INWARD)
            if who in CONNECTORS_OUT:
                yield from (Cell(state, who, where, None) for where in OUTWARD)


def is_possible(cell: Cell) -> bool:
    """A pod that is gone asks nobody, and what asks itself doesn't use the network."""
    if cell.who is Who.FIRST_ENGINE:
        return cell.state is not State.STOPPED and not cell.to_first
    if cell.who is Who.SECOND_ENGINE:
        return not cell.to_second
    return not (cell.who is Who.BESIDE and cell.where is Where.BESIDE)


TABLE: Final = tuple(filter(is_possible, cells()))


def passes(cell: Cell) -> bool:
    """Whether policies let it through."""
    if cell.who in ENGINES:
        return False
    if not (cell.to_first or cell.to_second) or cell.who in OUTSIDE_POLICIES:
        return True
    admitted = ADMITTED[cell.state] if cell.to_first else ADMITTED_TO_SECOND
    return cell.port == SERVING and cell.who in admitted


def expected(cell: Cell) -> frozenset[Outcome]:
    """What a prober may see. One outcome, but where it is not policies that decide how nothing comes of it."""
    gone = cell.to_first and cell.state is State.STOPPED
    if gone and cell.where is Where.HEADLESS:
        return frozenset({Outcome.NO_ADDRESS})
    loading = cell.to_first and cell.state is State.LOADING
    leads_nowhere = cell.by_service and (cell.port != SERVING or loading)
    if gone or leads_nowhere:
        return frozenset({Outcome.REFUSED, Outcome.SILENT})
    if not passes(cell):
        return frozenset({Outcome.SILENT})
    listens = cell.port != CLOSED and not (loading and cell.port == SERVING)
    return frozenset({Outcome.CONNECTS if listens else Outcome.REFUSED})
