"""`python -m tests.mutation TARGET` mutates one part of the product and prints its score.

mutmut finds modules by their path and knows `src/` only, so it runs in a folder laid out that way.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(".mutation")
SLOW = "not laws and not numbers_give_the_value and not cold and not same_bytes"
_CACHES = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True, slots=True)
class Target:
    """What is mutated, what must notice, and the least part of mutants that it must kill."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    least: float


TARGETS = {
    "sizing": Target(
        modules=("src/meditron_operator/core/sizing/*",),
        # without the laws: thousands of examples for each mutant would take a day
        tests=(
            "tests/unit/sizing",
            "tests/unit/test_catalog.py",
            "tests/unit/cli/test_plan.py",
            "tests/golden/test_explained.py",
        ),
        least=0.90,
    ),
    "killswitch": Target(
        modules=("src/meditron_operator/core/killswitch/*", "src/meditron_operator/core/killswitch/records/*"),
        tests=(
            "tests/unit/records",
            "tests/unit/test_killswitch.py",
            *(
                f"tests/unit/test_kill_{part}.py"
                for part in ("outcome", "reason", "sight", "steps", "timeline", "told")
            ),
            "tests/unit/test_hold.py",
            "tests/unit/test_stop.py",
            "tests/unit/test_stopped.py",
            "tests/unit/guard",
        ),
        least=0.90,
    ),
    "guard": Target(
        modules=("src/meditron_operator/core/guard/*",),
        tests=("tests/unit/guard", "tests/unit/test_gates.py"),
        least=0.90,
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("target", choices=TARGETS, nargs="?", default="sizing")
    parser.add_argument("--show", action="store_true", help="print the survivors as diffs")
    given = parser.parse_args()
    target = TARGETS[given.target]
    _lay_out(target)
    subprocess.run([sys.executable, "-m", "mutmut", "run"], cwd=PLACE, check=False)
    subprocess.run([sys.executable, "-m", "mutmut", "export-cicd-stats"], cwd=PLACE, check=True)
    if given.show:
        _show_survivors()
    return _judge(json.loads((PLACE / "mutants/mutmut-cicd-stats.json").read_text()), target)


def _lay_out(target: Target) -> None:
    """Fresh copies of what the tests read, and nothing remembered: changed tests are what it is about."""
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree("operator/meditron_operator", PLACE / "src/meditron_operator", ignore=_CACHES)
    for name in ("tests", "docs", "manifests", "crds"):
        shutil.copytree(name, PLACE / name, ignore=_CACHES)
    (PLACE / "pyproject.toml").write_text(_configuration(target), encoding="utf-8")


def _configuration(target: Target) -> str:
    settings = {
        "source_paths": ["src"],
        "only_mutate": list(target.modules),
        "pytest_add_cli_args_test_selection": list(target.tests),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-k", SLOW],
        "also_copy": ["tests", "docs", "manifests", "crds"],
    }
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    options = Path("pyproject.toml").read_text(encoding="utf-8")
    pytest_part = options[options.index("[tool.pytest.ini_options]") : options.index("[tool.importlinter]")]
    return f"{pytest_part}\n[tool.mutmut]\n{lines}\n"


def _show_survivors() -> None:
    for line in _mutmut("results", capture=True).splitlines():
        name, _, outcome = line.strip().partition(": ")
        if outcome in ("survived", "no tests"):
            _mutmut("show", name)


def _mutmut(*words: str, capture: bool = False) -> str:
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, cwd=PLACE, stdout=subprocess.PIPE if capture else None, text=True, check=False)  # noqa: S603
    return done.stdout or ""


def _judge(stats: dict[str, int], target: Target) -> int:
    """Mutants that no test ran count as survivors."""
    killed = stats["killed"] + stats["timeout"]
    share = killed / stats["total"]
    print(f"{killed} of {stats['total']} mutants killed: {share:.1%} (at least {target.least:.0%})")  # noqa: T201 - the answer
    return 0 if share >= target.least else 1


if __name__ == "__main__":
    sys.exit(main())
