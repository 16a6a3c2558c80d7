"""`--online`: the real client of the Hub against a hub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.hub import COMMIT, Hub, Repository, running_hub
from tests.unit.cli.running import Done, process
from tests.unit.test_checkpoint import GPTQ, config, quantized

WEIGHTS = {"model-00001-of-00002.safetensors": 70 * 10**9, "model-00002-of-00002.safetensors": 67_953_296_384}
REPOSITORIES = {
    "ward/plain": Repository(texts={"config.json": config()}, sizes=WEIGHTS),
    "ward/gptq": Repository(texts={"config.json": quantized(GPTQ, group_size=32)}),
    "ward/gated": Repository(texts={"config.json": config()}, gated=True),
    "ward/empty": Repository(texts={}, sizes=WEIGHTS),
    "ward/huge": Repository(texts={"config.json": " " * (8 * 2**20 + 1)}),
    "ward/gpt2": Repository(texts={"config.json": config(model_type="gpt2", architectures=["GPT2LMHeadModel"])}),
    "ward/autogptq": Repository(
        texts={
            "config.json": config(),
            "quantize_config.json": '{"bits": 4, "group_size": 64, "desc_act": true, "sym": true}',
        }
    ),
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub(REPOSITORIES) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def ask(hub: Hub, home: Path, name: str, *words: str, online: bool = True) -> Done:
    return process(
        "plan", "-m", name, *(["--online"] if online else []), "--gpu", "H200-141GB", "-o", "json", *words,
        HF_ENDPOINT=hub.endpoint, HF_HOME=str(home / "hf"), XDG_CACHE_HOME=str(home / "cache"),
        NO_PROXY="127.0.0.1",
    )  # fmt: skip


def test_facts_and_sizes_come_from_the_hub(hub: Hub, home: Path) -> None:
    done = ask(hub, home, "ward/plain", "--gpus", "2")
    assert done.code == 0
    assert done.json["bytesPerGPU"]["weights"] == (137_953_296_384 - 2_637_824) // 2 + 2_637_824
    assert done.json["reasons"] == []
    assert "HEAD /ward/plain/resolve/" + COMMIT + "/config.json" in hub.requests
    assert not [request for request in hub.requests if "safetensors" in request], "weights are never fetched"


def test_a_commit_is_asked_for_once(hub: Hub, home: Path) -> None:
    first = ask(hub, home, "ward/plain", "--gpus", "2")
    asked = len(hub.requests)
    again = ask(hub, home, f"ward/plain@{COMMIT}", "--gpus", "2", online=False)
    assert again.json == first.json
    assert len(hub.requests) == asked


def test_what_was_kept_is_useless_when_damaged(hub: Hub, home: Path) -> None:
    ask(hub, home, "ward/plain")
    (kept,) = (home / "cache").rglob("*.json")
    kept.write_text("{")
    line = ask(hub, home, f"ward/plain@{COMMIT}", online=False).refused()
    assert "not fetched yet on this machine: add --online once" in line


def test_a_home_that_cannot_be_written_costs_only_the_memory(hub: Hub, home: Path) -> None:
    (home / "cache").write_text("a file where the folder should be")
    assert ask(hub, home, "ward/plain", "--gpus", "2").code == 0


def test_packing_comes_from_the_hub(hub: Hub, home: Path) -> None:
    assert "gptq" in str(ask(hub, home, "ward/gptq", "--explain").json["environment"])
    explained = ask(hub, home, "ward/autogptq", "--explain").json
    assert any("groups of 64, act-order" in term["source"] for term in explained["terms"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ward/none", "ward/none: not found on the Hub, or private: check the name, or set HF_TOKEN"),
        ("ward/plain@nosuchbranch", "ward/plain: not found on the Hub, or private"),
        ("ward/gated", "ward/gated: gated: accept its licence on the Hub, then set HF_TOKEN"),
        ("ward/empty", "ward/empty: has no config.json"),
        ("ward/huge", "config.json is larger than 8 MiB"),
        ("ward/gpt2", "ward/gpt2: not Llama-shaped"),
    ],
)
def test_refusals_of_the_hub_are_one_line(hub: Hub, home: Path, name: str, says: str) -> None:
    assert says in ask(hub, home, name).refused()


def test_no_hub_is_one_line(home: Path) -> None:
    nobody = Hub("http://127.0.0.1:1", [])
    assert "ward/plain: the Hub can't be asked: " in ask(nobody, home, "ward/plain").refused()


def test_nothing_is_asked_unless_allowed(hub: Hub, home: Path) -> None:
    ask(hub, home, "ward/plain", online=False).refused()
    ask(hub, home, f"ward/plain@{COMMIT}", online=False).refused()
    process("plan", "-m", "meditron-70b", HF_ENDPOINT=hub.endpoint)
    assert hub.requests == []
