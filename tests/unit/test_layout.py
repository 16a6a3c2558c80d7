"""Rules of the source tree that no tool checks."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "operator").rglob("*.py"))
LONGEST_FILE = 300


def short(path: Path) -> str:
    return str(path.relative_to(ROOT / "operator"))


def test_the_source_root_never_becomes_a_package() -> None:
    """operator/__init__.py would shadow the standard library's `operator`."""
    assert not (ROOT / "operator" / "__init__.py").exists()


@pytest.mark.parametrize("source", SOURCES, ids=short)
def test_every_module_says_what_it_is_for(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert not text or ast.get_docstring(ast.parse(text)), "no docstring"


@pytest.mark.parametrize("source", SOURCES, ids=short)
def test_files_stay_short(source: Path) -> None:
    assert len(source.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("source", [path for path in SOURCES if "core" in path.parts], ids=short)
def test_core_never_asks_for_the_time(source: Path) -> None:
    """import-linter holds `time`; `datetime.now()` would pass it."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    clocks = {"now", "utcnow", "today"}
    asked = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & clocks
    assert not asked
