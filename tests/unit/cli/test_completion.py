"""What the shell completes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.running import process


def completed(line: str) -> list[str]:
    """The proposals for the last word of a command line, as bash gets them."""
    words = line.split(" ")
    done = process(_MEDITRON_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    return done.out.split()


@pytest.mark.parametrize(
    ("line", "proposals"),
    [
        ("meditron pl", ["plan"]),
        ("meditron plan --gpu A100", ["A100-40GB", "A100-80GB"]),
        ("meditron plan --gpu RTX-6", ["RTX-6000-Ada"]),
        ("meditron plan --model meditron3", ["meditron3-8b", "meditron3-70b"]),
        ("meditron plan -m BioMistral/", ["BioMistral/BioMistral-7B"]),
        ("meditron plan --quantization bits", ["bitsandbytes", "bitsandbytes-nf4"]),
        ("meditron plan -o j", ["json"]),
    ],
)
def test_completion(line: str, proposals: list[str]) -> None:
    assert completed(line) == proposals


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    done = process("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert done.code == 0
    assert "_MEDITRON_COMPLETE" in done.out


@pytest.mark.parametrize(
    ("words", "proposals"),
    [
        (["ki"], ["kill"]),
        (["kill", "--mode", "d"], ["drain"]),
        (["plan", "--gpu", "A100"], ["A100-40GB", "A100-80GB"]),
        (["kill", "notes", "--reason", "two words", "--mode", "h"], ["hold", "halt"]),
        (["kill", ""], []),  # without a cluster
    ],
)
def test_kubectl_completes_it_too(words: list[str], proposals: list[str], tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from meditron_operator.cli.kubectl import complete; complete()", *words]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "KUBECONFIG": str(tmp_path / "none")}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=True)  # noqa: S603
    assert done.stdout.split() == [*proposals, ":4"]
    assert not done.stderr
