"""The command line, as a person meets it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import meditron_operator
from meditron_operator.cli import operator as cli
from meditron_operator.cli.main import app
from meditron_operator.config import Config
from tests.unit.kit import IMAGE

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["operator", "--help"], ["guard", "--help"]])
def test_help(words: list[str]) -> None:
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_help_names_every_setting_and_its_variable() -> None:
    text = RUNNER.invoke(app, ["operator", "--help"]).output
    for option in ("engine-image", "namespace", "health-port", "workers", "identity", "log-level"):
        assert f"--{option}" in text
        assert "MEDITRON_" + option.upper().replace("-", "_") in text


@pytest.mark.parametrize(
    ("words", "environment", "watched"),
    [
        ((), {}, ()),
        ((), {"MEDITRON_WATCH_NAMESPACES": "research clinical-ai"}, ("clinical-ai", "research")),
        (("--watch-namespace", "a", "--watch-namespace", "b", "--watch-namespace", "a"), {}, ("a", "b")),
        (("--watch-namespace", "a"), {"MEDITRON_WATCH_NAMESPACES": "b"}, ("a",)),
    ],
)
def test_namespaces_to_watch(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], environment: dict[str, str], watched: tuple[str, ...]
) -> None:
    told: list[Config] = []
    monkeypatch.setattr(cli, "run_operator", lambda config, _: told.append(config))
    result = RUNNER.invoke(app, ["operator", *words], env=environment)
    assert (result.exit_code, told[0].watched_namespaces) == (0, watched)


def test_help_of_the_guard_names_every_setting_and_its_variable() -> None:
    text = RUNNER.invoke(app, ["guard", "--help"]).output
    for option in ("namespace", "health-port", "log-level"):
        assert f"--{option}" in text
        assert "MEDITRON_" + option.upper().replace("-", "_") in text
    assert "--fail-closed-after" in text
    assert "MEDITRON_FAIL_CLOSED_AFTER_SECONDS" in text


def test_version() -> None:
    result = RUNNER.invoke(app, ["version"])
    assert (result.exit_code, result.output) == (0, f"{meditron_operator.__version__}\n")


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": "/nowhere",
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "TERM": "dumb",
    } | environment
    command = [sys.executable, "-m", "meditron_operator", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)  # noqa: S603


@pytest.mark.parametrize(
    "image", ["tgi:3.3.7", "tgi@sha256:123", "tgi@sha256:" + "0" * 65, IMAGE + "\n", IMAGE + " ", "@sha256"]
)
def test_an_image_that_is_not_pinned_is_one_clear_line(image: str) -> None:
    for done in (
        RUNNER.invoke(app, ["operator", "--engine-image", image]),
        RUNNER.invoke(app, ["operator"], env={"MEDITRON_ENGINE_IMAGE": image}),
    ):
        assert done.exit_code == 2
        assert "pin the image by digest" in done.output
        assert "--engine-image" in done.output
        assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "words",
    [
        ["--health-port", "0"],
        ["--health-port", "65536"],
        ["--workers", "0"],
        ["--workers", "65"],
        ["--log-level", "loud"],
    ],
)
def test_settings_out_of_range(words: list[str]) -> None:
    result = RUNNER.invoke(app, ["operator", *words])
    assert result.exit_code == 2
    assert words[0] in result.output


@pytest.mark.parametrize("process", ["operator", "guard"])
def test_no_cluster_is_one_line(tmp_path: Path, process: str) -> None:
    done = run(process, KUBECONFIG=str(tmp_path / "none"))
    assert done.returncode == 1
    assert not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"meditron {process}: no cluster to talk to: ")


def test_a_port_in_use_ends_the_operator(tmp_path: Path) -> None:
    """It must not go on without the endpoint that a probe asks; the guard must: a stop needs no endpoint."""
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    user: dict[str, object] = {"name": "u", "user": {}}
    config = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "c"}
    (tmp_path / "config").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - where the operator listens
        port = str(taken.getsockname()[1])
        done = run("operator", "--health-port", port, KUBECONFIG=str(tmp_path / "config"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("meditron operator: [Errno 98] ")


def test_an_unknown_command() -> None:
    assert run("operate").returncode == 2


def test_the_guard_needs_neither_kopf_nor_the_spec() -> None:
    """A mistake in either must not be in the way of a stop."""
    program = (
        "import sys, meditron_operator.cli.guard;"
        "print([name for name in ('kopf', 'meditron_operator.core.spec') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_help_needs_neither_kopf_nor_kubernetes() -> None:
    """A tool that is called at night must answer at once."""
    program = (
        "import sys, meditron_operator.cli.main;"
        "print([name for name in ('kopf', 'kubernetes', 'aiohttp', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
