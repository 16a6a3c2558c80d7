"""`python -m tests.docs` writes the computed tables into docs/."""

from pathlib import Path

from tests.docs.blocks import filled
from tests.docs.sizing import BLOCKS

SIZING = Path("docs/sizing.md")

if __name__ == "__main__":
    SIZING.write_text(filled(SIZING.read_text(encoding="utf-8"), BLOCKS), encoding="utf-8")
