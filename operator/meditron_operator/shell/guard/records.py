"""Who writes the records of the switch down."""

from typing import Protocol

from meditron_operator.core.killswitch.carrier import Carrier, Outcome


class Records(Protocol):
    """A register of stops. It may fail with ApiError; nothing that stops a model waits for it."""

    async def keep(self, carrier: Carrier, seen_at: str) -> str | None:
        """Write whatever record is due for this carrier's annotations; the name of the record of the stop in force."""

    async def conclude(self, carrier: Carrier, outcome: Outcome) -> None:
        """Write down what became of the stop in force, once."""


class Unrecorded:
    """No register is kept."""

    async def keep(self, carrier: Carrier, seen_at: str) -> str | None:  # noqa: ARG002
        return None

    async def conclude(self, carrier: Carrier, outcome: Outcome) -> None:  # noqa: ARG002
        return None
