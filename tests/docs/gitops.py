"""The table of docs/gitops.md: what comes of Argo CD's ways to sync. Its facts are what the tests expect."""

from collections.abc import Mapping
from typing import Final

from tests.docs.blocks import Block, table
from tests.ecosystem.argocd.outcomes import ENGAGED, NOT_ENGAGED, TITLES, WAYS


def outcomes() -> str:
    """What happens, and what comes of it in each mode."""
    rows = [[TITLES[event], *(outcomes[mode] for mode in WAYS)] for event, outcomes in ENGAGED.items()]
    rows.append(["not engaged: a commit, after something scaled it", *(NOT_ENGAGED[mode] for mode in WAYS)])
    return table(("", *(way.title for way in WAYS.values())), rows)


BLOCKS: Final[Mapping[str, Block]] = {"gitops": outcomes}
