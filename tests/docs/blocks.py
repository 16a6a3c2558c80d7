"""Computed parts of a Markdown file, between two comments that name them."""

import re
from collections.abc import Callable, Mapping, Sequence

Block = Callable[[], str]


def filled(text: str, blocks: Mapping[str, Block]) -> str:
    """`text` with each block computed anew. Raises KeyError for a block that nothing computes."""

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- computed: {name} -->\n{blocks[name]()}\n<!-- end -->"

    return re.sub(r"<!-- computed: (?P<name>[a-z-]+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
