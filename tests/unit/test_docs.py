"""What docs/ computes is what the code computes today."""

from pathlib import Path

import pytest

from tests.docs.blocks import filled
from tests.docs.sizing import BLOCKS

SIZING = Path("docs/sizing.md").read_text(encoding="utf-8")


def test_tables_are_up_to_date() -> None:
    assert filled(SIZING, BLOCKS) == SIZING, "run `make docs`"


@pytest.mark.parametrize("name", BLOCKS)
def test_every_table_is_shown(name: str) -> None:
    assert f"<!-- computed: {name} -->" in SIZING


def test_a_block_that_nothing_computes_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        filled("<!-- computed: nothing -->\n<!-- end -->", BLOCKS)
