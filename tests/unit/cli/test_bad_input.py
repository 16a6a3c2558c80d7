"""Whatever a user gives by mistake, or on purpose: one clear line and exit code 2."""

import json
import os
from pathlib import Path

import pytest

from tests.unit.cli.running import meditron
from tests.unit.test_checkpoint import GPTQ, config, quantized

SAMPLE = Path("manifests/samples/meditron-7b-1xl4.yaml")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "--model: which one?"),
        ("-m meditron-70", "--model: 'meditron-70' is not known; did you mean meditron-70b?"),
        ("-m mistral", "Any other: give its config.json with --config, or ask the Hub with --online"),
        ("-m meditron-7b --gpu A100", "--gpu: 'A100' is not known; did you mean A10G?"),
        ("-m meditron-7b --gpu H100", "known: A100-40GB, A100-80GB, H100-80GB"),
        ("-m meditron-7b --gpus 0", "'--gpus'"),
        ("-m meditron-7b --gpus -1", "'--gpus'"),
        ("-m meditron-7b --gpus many", "'--gpus'"),
        ("-m meditron-7b --context -4096", "'--context'"),
        ("-m meditron-7b --context 1", "'--context'"),
        ("-m meditron-7b --context 1e3", "'--context'"),
        ("-m meditron-7b --concurrency 0", "'--concurrency'"),
        ("-m meditron-7b --concurrency 99999999999999999999", "'--concurrency'"),
        ("-m meditron-7b --lora-adapters -1", "'--lora-adapters'"),
        ("-m meditron-7b --lora-rank 0", "'--lora-rank'"),
        ("-m meditron-7b -q int4", "'int4' is not one of 'none', 'gptq'"),
        ("-m meditron-7b --kv-cache-dtype int8", "'--kv-cache-dtype'"),
        ("-m meditron-7b --dtype float32", "'--dtype'"),
        ("-m meditron-7b -o xml", "'--output' / '-o'"),
        ("-m meditron-7b --gpuz 4", "No such option: --gpuz"),
        ("-m meditron-7b extra", "extra"),
        ("-m TheBloke/meditron-70B-GPTQ -q awq", "the checkpoint holds gptq weights, so it can't run as awq"),
        ("-f manifests/samples/meditron-7b-1xl4.yaml --gpu L4", "--gpu: not together with -f"),
        ("-f manifests/samples/meditron-7b-1xl4.yaml --lora-rank 8", "--lora-rank: not together with -f"),
        ("-m org/name@main", "not a commit of 40 hex digits, so it may have changed: add --online"),
        ("-m org/name@" + "0" * 40, "not fetched yet on this machine: add --online once"),
        ("-m ../../etc/passwd@" + "0" * 40, "not the name of a repository (organisation/name)"),
        ("--online -m meditron-70b", "'meditron-70b': not the name of a repository"),
    ],
)
def test_options(words: str, says: str) -> None:
    assert says in meditron("plan", *words.split()).refused()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("operator --watch-namespace Clinical_AI", "'Clinical_AI' is no name of a namespace"),
        ("operator --watch-namespace a,b", "'a,b' is no name of a namespace"),
        ("operator --watch-namespace *", "'*' is no name of a namespace"),
        ("check --timeout -1", "'--timeout'"),
        ("check", "no cluster to talk to"),
        ("check extra", "extra"),
    ],
)
def test_of_other_commands(words: str, says: str) -> None:
    assert says in meditron(*words.split()).refused()


def refused_config(text: str | bytes, folder: Path) -> str:
    path = folder / "config.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return meditron("plan", "--config", str(path)).refused()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (config()[:200], "not JSON, or cut off"),
        ("", "not JSON, or cut off: Expecting value at line 1, column 1"),
        (b"\xff\xfe\x00", "not UTF-8 text (byte 0)"),
        (" " * (8 * 2**20 + 1), "larger than 8 MiB"),
        ("[" * 200_000, "nested too deeply"),
        ("[]", "must be a JSON object, not list"),
        (config(model_type="gpt2", architectures=["GPT2LMHeadModel"]), "not Llama-shaped"),
        (config(hidden_size=-1), "hidden_size: input should be greater than or equal to 1, not -1"),
        (config(vocab_size="lots"), "vocab_size: input should be a valid integer"),
        (config(num_hidden_layers=10**9), "num_hidden_layers: input should be less than or equal to 65536"),
        (quantized(GPTQ, quant_method="\u001b[31mexl2\n\n"), "is not sized: gptq and awq are"),
    ],
)
def test_config(text: str | bytes, says: str, tmp_path: Path) -> None:
    line = refused_config(text, tmp_path)
    assert says in line
    assert "\x1b" not in line


@pytest.mark.parametrize("option", ["--config", "-f"])
def test_paths(option: str, tmp_path: Path) -> None:
    assert "No such file or directory" in meditron("plan", option, str(tmp_path / "none")).refused()
    assert "null" in meditron("plan", option, "/dev/null").refused() or option == "-f"
    assert "not a regular file" in meditron("plan", option, "/dev/zero").refused()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "not a regular file; to read from a pipe give -" in meditron("plan", option, str(fifo)).refused()


def test_a_folder_without_a_config(tmp_path: Path) -> None:
    assert "config.json: No such file" in meditron("plan", "--config", str(tmp_path)).refused()
    assert "not a regular file" in meditron("plan", "-f", str(tmp_path)).refused()


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(config())
    path.chmod(0)
    if os.geteuid() == 0:  # root reads everything: there is no such mistake to make
        assert meditron("plan", "--config", str(path)).code == 0
    else:
        assert "Permission denied" in meditron("plan", "--config", str(path)).refused()


MANIFESTS = [
    ("", "holds no object"),
    ("a: [", "not YAML"),
    ("- 1\n- 2", "holds list, not a Kubernetes object"),
    ("just text", "holds str, not a Kubernetes object"),
    ("kind: Pod\napiVersion: v1\nmetadata: {name: x}", "holds no MeditronDeployment (meditron.ai/v1alpha1)"),
    ("kind: MeditronDeployment\napiVersion: meditron.ai/v1", "is 'meditron.ai/v1', not meditron.ai/v1alpha1"),
    ("kind: MeditronDeployment\napiVersion: meditron.ai/v1alpha1", "without metadata.name"),
    ("kind: MeditronDeployment\napiVersion: meditron.ai/v1alpha1\nmetadata: {name: x}", "x has no spec"),
    ("kind: List\nitems: 7", "the items of a List must be objects"),
    ("kind: List\nitems: [7]", "the items of a List must be objects"),
    ("a: &a [x]\nb: !!python/object/apply:os.system ['true']", "not YAML"),
    ("[" * 5_000, "not YAML"),
    (SAMPLE.read_text().replace("L4", "L40-S"), "spec.gpu.type: 'L40-S' is not known; did you mean L40S"),
    (SAMPLE.read_text().replace("epfl-llm/meditron-7b", "gpt-2"), "spec.model.id: 'gpt-2' is not known"),
    (SAMPLE.read_text().replace("gpu:", "cpu:"), "spec.gpu: Field required"),
    (SAMPLE.read_text() + "\n---\n" + SAMPLE.read_text().replace("triage-helper", "other"), "plan one at a time"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), MANIFESTS)
def test_manifests(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    assert says in meditron("plan", "-f", str(path)).refused()


def test_aliases_that_explode_do_not(tmp_path: Path) -> None:
    """YAML's aliases share what they name: read, they take no memory, and nothing here writes them out."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    path = tmp_path / "laughs.yaml"
    path.write_text("\n".join(lines))
    assert "holds no MeditronDeployment" in meditron("plan", "-f", str(path)).refused()


NO_RENDER = ["", "-f /nope", f"-f {SAMPLE} --engine-image tgi:3"]


@pytest.mark.parametrize("words", NO_RENDER)
def test_render(words: str) -> None:
    meditron("render", *words.split()).refused()


def test_an_unknown_command() -> None:
    assert "No such command 'plam'" in meditron("plam").refused()


def test_numbers_that_no_card_holds_are_an_answer_not_a_mistake() -> None:
    done = meditron(
        *["plan", "-m", "meditron3-8b", "--context", "131072", "--concurrency", "100000", "--gpu", "L4", "-o", "json"]
    )
    assert done.code == 1
    assert json.loads(done.out)["fits"] is False
