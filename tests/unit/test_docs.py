"""What docs/ computes is what the code computes today."""

from pathlib import Path

import pytest

from tests.docs.blocks import filled
from tests.docs.files import COMPUTED
from tests.docs.guarantees import shown
from tests.docs.sizing import BLOCKS


@pytest.mark.parametrize("file", COMPUTED, ids=str)
def test_tables_are_up_to_date(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert filled(text, COMPUTED[file]) == text, "run `make docs`"


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, blocks in COMPUTED.items() for name in blocks])
def test_every_table_is_shown(file: Path, name: str) -> None:
    assert f"<!-- computed: {name} -->" in file.read_text(encoding="utf-8")


def test_a_block_that_nothing_computes_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        filled("<!-- computed: nothing -->\n<!-- end -->", BLOCKS)


@pytest.mark.parametrize(("promise", "tests"), shown().items())
def test_every_promise_of_the_kill_switch_is_shown_by_a_test(promise: str, tests: list[str]) -> None:
    assert tests, f'no test is marked @pytest.mark.guarantee("{promise}")'
