"""Who writes the records of the switch down."""

from collections.abc import Callable
from typing import Protocol

from meditron_operator.core.killswitch.carrier import Carrier, Outcome
from meditron_operator.core.killswitch.records import Target


class Records(Protocol):
    """A register of stops. It may fail with ApiError; nothing that stops a model waits for it."""

    changed: Callable[[Target], None]
    """Hears whose records changed, by whomever."""

    async def run(self) -> None:
        """Follow what is written down already, until cancelled."""

    async def keep(self, carrier: Carrier, seen_at: str) -> str | None:
        """Write whatever record is due for this carrier's annotations; the name of the record of the stop in force."""

    async def conclude(self, carrier: Carrier, outcome: Outcome) -> None:
        """Write down what became of the stop in force, once."""
