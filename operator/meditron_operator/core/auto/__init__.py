"""`gpu.type: auto`: which of the cards that the cluster has, and why not the others.

A choice is made anew only while it matters to nobody: what serves stays on its card whatever the nodes say.
"""

from meditron_operator.core.auto.choose import Choice, RunnerUp, Wanted, choose
from meditron_operator.core.auto.current import current_card
from meditron_operator.core.auto.offers import Market, Refused, Terms, market
from meditron_operator.core.auto.remembered import recall, remember
from meditron_operator.core.auto.surroundings import EMPTY, Surroundings
from meditron_operator.core.auto.told import tell

__all__ = [
    "EMPTY",
    "Choice",
    "Market",
    "Refused",
    "RunnerUp",
    "Surroundings",
    "Terms",
    "Wanted",
    "choose",
    "current_card",
    "market",
    "recall",
    "remember",
    "tell",
]
