"""Which tests share a worker, and so a cluster, where they are not just those of one file."""

from collections.abc import Callable

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

Share = Callable[[str], str]
"""From a test's id to the name of its share."""


def by_file(test: str) -> str:
    """The share of a test that may have a cluster with the others of its file."""
    return test.partition("::")[0]


class Shares(LoadScopeScheduling):  # type: ignore[misc]
    """As `--dist loadgroup`, whose marks xdist 3.8 loses with pytest 9.2."""

    def __init__(self, config: pytest.Config, log: object, share: Share) -> None:
        super().__init__(config, log)
        self._share = share

    def _split_scope(self, nodeid: str) -> str:
        return self._share(nodeid)
