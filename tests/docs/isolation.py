"""The tables of docs/isolation.md: whom policies let connect to what, by state."""

from collections.abc import Sequence
from functools import partial

from tests.docs.blocks import Block, table
from tests.isolation.cyclonus import can_say
from tests.isolation.people import ENGINES, OUTSIDE_POLICIES, Who
from tests.isolation.table import (
    CLOSED,
    CONNECTORS_OUT,
    CONTROL,
    OUTWARD,
    SERVING,
    TABLE,
    Cell,
    Outcome,
    State,
    Where,
    expected,
    is_possible,
)

_COLUMNS: Sequence[tuple[str, Where, int]] = (
    ("pod", Where.POD, SERVING),
    ("Service", Where.SERVICE, SERVING),
    ("headless", Where.HEADLESS, SERVING),
    ("control port", Where.POD, CONTROL),
    ("closed port", Where.POD, CLOSED),
    ("2nd pod", Where.SECOND_POD, SERVING),
    ("2nd Service", Where.SECOND_SERVICE, SERVING),
    ("2nd headless", Where.SECOND_HEADLESS, SERVING),
    ("2nd control port", Where.SECOND_POD, CONTROL),
)
_SIGNS = {
    frozenset({Outcome.CONNECTS}): "**yes**",
    frozenset({Outcome.REFUSED}): "reached",
    frozenset({Outcome.SILENT}): "no",
    frozenset({Outcome.REFUSED, Outcome.SILENT}): "–",
    frozenset({Outcome.NO_ADDRESS}): "–",
}


def _sign(cell: Cell) -> str:
    return _SIGNS[expected(cell)] if is_possible(cell) else ""


def inward(state: State) -> str:
    """Who reaches the engines."""
    rows = [[str(who), *(_sign(Cell(state, who, where, port)) for _, where, port in _COLUMNS)] for who in Who]
    return table(("who", *(title for title, _, _ in _COLUMNS)), rows)


def outward() -> str:
    """Whom the engines reach. It is the same in all states."""
    state = State.SERVING
    rows = [[str(who), *(_sign(Cell(state, who, where, None)) for where in OUTWARD)] for who in CONNECTORS_OUT]
    return table(("who", *map(str, OUTWARD)), rows)


def sizes() -> str:
    """How many attempts there are, and of how many Cyclonus has an opinion."""
    rows = []
    for state in State:
        cells = [cell for cell in TABLE if cell.state is state]
        outside = sum(cell.who in OUTSIDE_POLICIES for cell in cells)
        out = sum(cell.who in ENGINES for cell in cells)
        rows.append([str(state), *(str(number) for number in (len(cells), sum(map(can_say, cells)), outside, out))])
    total = [sum(int(row[column]) for row in rows) for column in range(1, 5)]
    heads = ("state", "tried on the node", "computed by Cyclonus", "by the node's own network", "by an engine")
    return table(heads, [*rows, ["all", *map(str, total)]])


BLOCKS: dict[str, Block] = {
    "isolation-sizes": sizes,
    "isolation-loading": partial(inward, State.LOADING),
    "isolation-serving": partial(inward, State.SERVING),
    "isolation-stopping": partial(inward, State.STOPPING),
    "isolation-stopped": partial(inward, State.STOPPED),
    "isolation-outward": outward,
}
