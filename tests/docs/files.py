"""Which file has which computed tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.docs import gitops, guarantees, isolation, sizing
from tests.docs.blocks import Block
from tests.hardening import waivers

COMPUTED: Final[Mapping[Path, Mapping[str, Block]]] = {
    Path("docs/gitops.md"): gitops.BLOCKS,
    Path("docs/install.md"): waivers.BLOCKS,
    Path("docs/isolation.md"): isolation.BLOCKS,
    Path("docs/kill-switch-proof.md"): guarantees.BLOCKS,
    Path("docs/sizing.md"): sizing.BLOCKS,
}
