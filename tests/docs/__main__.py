"""`python -m tests.docs` writes the computed tables into docs/."""

from tests.docs.blocks import filled
from tests.docs.files import COMPUTED

if __name__ == "__main__":
    for file, blocks in COMPUTED.items():
        file.write_text(filled(file.read_text(encoding="utf-8"), blocks), encoding="utf-8")
