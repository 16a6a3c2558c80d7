"""How walkthroughs are read: no cluster, one shell."""

from pathlib import Path

import pytest

from tests.ecosystem.walkthrough import Reader, Step, StepError, section, shows, steps

DOCUMENT = """\
# Install

```sh
export NAME=ward
```

## By hand

```sh
echo "$NAME"
```

```text
ward
```

Another:

```yaml
not: typed
```

## Else
```sh
false
```
"""


def test_steps_are_what_is_typed_with_what_it_shows() -> None:
    assert list(steps(DOCUMENT)) == [
        Step("export NAME=ward\n", None),
        Step('echo "$NAME"\n', "ward\n"),
        Step("false\n", None),
    ]


def test_a_section_ends_at_the_next_heading_of_its_level() -> None:
    assert [step.commands for step in steps(section(DOCUMENT, "## By hand"))] == ['echo "$NAME"\n']
    assert len(list(steps(section(DOCUMENT, "# Install")))) == 3
    with pytest.raises(ValueError, match="no heading '## None'"):
        section(DOCUMENT, "## None")


@pytest.mark.parametrize(
    ("output", "shown", "same"),
    [
        ("NAME   AGE\nnotes  3s\n", "NAME  AGE\nnotes …\n", True),
        ("a\nb\nc\nd\n", "a\n…\nd\n", True),
        ("before\nb\n", "b\n", True),
        ("a\n", "a.\n", False),
        ("aa\n", "a\n", False),
        ("b\na\n", "a\nb\n", False),
    ],
)
def test_what_is_shown_must_come(output: str, shown: str, same: bool) -> None:
    assert shows(output, shown) is same


def test_exports_last_and_a_failure_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.ecosystem.walkthrough.find", lambda name: Path("/usr/bin") / name)
    seen: list[Step] = []
    with pytest.raises(StepError, match="exit code 1"):
        Reader(tmp_path / "kubeconfig", tmp_path).follow(DOCUMENT, seen.append)
    assert len(seen) == 2  # the second one saw what the first exported


def test_another_output_than_shown_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.ecosystem.walkthrough.find", lambda name: Path("/usr/bin") / name)
    with pytest.raises(StepError, match="instead of"):
        Reader(tmp_path / "kubeconfig", tmp_path).type(Step("echo one\n", "two\n"))
