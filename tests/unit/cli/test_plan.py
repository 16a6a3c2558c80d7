"""`meditron plan` as a person and as a program meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from meditron_operator.core.catalog.gpus import GPUS
from tests.unit.cli.running import PROGRAM, meditron, process
from tests.unit.test_checkpoint import AWQ, GPTQ, config, quantized

SAMPLES = Path("manifests/samples")
KEYS = [
    "fits", "profile", "gpusPerReplica", "kvCapacityTokens", "safeTokens", "sequencesAtFullContext", "bytesPerGPU",
    "reasons", "alternatives",
]  # fmt: skip
PARTS = ["weights", "kvCache", "activations", "runtime", "headroom", "total"]


def words(text: str) -> list[str]:
    return ["plan", *text.split()]


def test_json_of_row_g() -> None:
    done = meditron(*words("--model meditron-70b --quantization gptq --gpu A100-40GB --gpus 1 -o json"))
    answer = done.json
    assert done.code == 0
    assert list(answer) == KEYS
    assert list(answer["bytesPerGPU"]) == PARTS
    assert [answer[key] for key in KEYS[:6]] == [True, "tight", 1, 8_050, 6_440, 1]
    parts = answer["bytesPerGPU"]
    assert sum(parts[part] for part in PARTS[:-1]) == parts["total"]
    assert answer["reasons"] == ["little headroom is left: test it under load before clients use it"]
    assert answer["alternatives"][0] == {
        "change": "use 2 x A10G", "gpuType": "A10G", "gpusPerReplica": 2, "profile": "standard", "safeTokens": 6_587,
    }  # fmt: skip


def test_json_of_a_refusal_has_the_same_keys() -> None:
    done = meditron(*words("-m meditron-70b --gpu A100-40GB --gpus 2 -o json"))
    answer = done.json
    assert done.code == 1
    assert list(answer) == KEYS
    assert (answer["fits"], answer["profile"], answer["gpusPerReplica"]) == (False, "tight", 2)
    assert answer["bytesPerGPU"]["kvCache"] < 0
    assert "exceed the tight budget" in answer["reasons"][0]
    assert [step["change"] for step in answer["alternatives"][:2]] == ["use 4 GPUs", "use quantization eetq"]


def test_json_of_what_can_never_run() -> None:
    answer = meditron(*words("-m meditron-70b --gpu A100-80GB --gpus 3 -o json")).json
    assert (answer["fits"], answer["bytesPerGPU"], answer["safeTokens"], answer["profile"]) == (False, None, None, None)
    assert answer["reasons"] == ["meditron-70b 16-bit cannot run on 3 GPUs: 3 does not divide 64 attention heads"]


def test_the_same_count_in_the_tight_profile_is_offered() -> None:
    answer = meditron(*words("-m meditron-70b -q gptq --gpu A100-40GB -o json")).json
    assert (answer["profile"], answer["gpusPerReplica"]) == ("standard", 2)
    first = answer["alternatives"][0]
    assert (first["gpuType"], first["gpusPerReplica"], first["profile"]) == ("A100-40GB", 1, "tight")


def test_yaml_says_the_same_as_json() -> None:
    asked = words("-m meditron-7b --gpu L4 --explain")
    assert yaml.safe_load(meditron(*asked, "-o", "yaml").out) == meditron(*asked, "-o", "json").json


def test_the_same_question_gives_the_same_bytes() -> None:
    for form in ("json", "yaml", "table"):
        asked = words(f"-m meditron-70b -q awq --gpu L40S --concurrency 2 -o {form}")
        assert process(*asked, PYTHONHASHSEED="1").out == process(*asked, PYTHONHASHSEED="2").out


def test_explained_json_has_the_sum_the_environment_and_the_pod() -> None:
    answer = meditron(*words("-m meditron-7b --gpu L4 --explain -o json")).json
    assert list(answer) == [*KEYS, "terms", "environment", "pod"]
    assert answer["environment"] == {
        "NUM_SHARD": "1",
        "CUDA_MEMORY_FRACTION": "1",
        "TGI_WIGGLE_ROOM": "0.9",
        "DTYPE": "bfloat16",
        "MAX_INPUT_TOKENS": "2047",
        "MAX_TOTAL_TOKENS": "2048",
        "MAX_BATCH_PREFILL_TOKENS": "2048",
        "MAX_CONCURRENT_REQUESTS": "4",
    }
    assert answer["pod"]["checkpointBytes"] == 13_476_831_232
    assert answer["terms"][0]["name"] == "budget"


def test_adapters_turn_graphs_off_and_take_memory() -> None:
    plain = meditron(*words("-m meditron-7b --gpu L40S --explain -o json")).json
    answer = meditron(*words("-m meditron-7b --gpu L40S --lora-adapters 4 --lora-rank 32 --explain -o json")).json
    assert answer["environment"]["CUDA_GRAPHS"] == answer["environment"]["PREFIX_CACHING"] == "0"
    assert answer["bytesPerGPU"]["weights"] > plain["bytesPerGPU"]["weights"]


def test_fp8_cache_and_dtype_reach_the_launcher() -> None:
    asked = words("-m meditron-7b --gpu L4 --kv-cache-dtype fp8_e4m3fn --dtype float16 --explain -o json")
    environment = meditron(*asked).json["environment"]
    assert (environment["KV_CACHE_DTYPE"], environment["DTYPE"]) == ("fp8_e4m3fn", "float16")


def test_table_draws_the_card_and_says_the_verdict() -> None:
    out = meditron(*words("-m meditron-70b -q gptq --gpu A100-40GB --gpus 1")).out
    bar = next(line for line in out.splitlines() if line.startswith("["))
    assert len(bar) == 80
    counts = {letter: bar.count(letter) for letter in "WKAR."}
    assert counts["W"] == round(78 * 36_346_281_984 / 42_305_427_865)
    assert sum(counts.values()) == 78
    assert "Fits: 1 x A100-40GB a replica, in the tight profile; 1 request of 4,096 tokens at once (6,440 safe" in out
    assert "Tight: little headroom is left" in out
    assert "Holds it too, least memory first: 2 x A10G, 1 x L40S" in out
    assert "Not T4: meditron-70b gptq does not fit on 1 x T4" in out
    assert "\x1b" not in out


def test_table_of_a_refusal_shows_where_the_card_ends() -> None:
    done = meditron(*words("-m meditron-70b --gpu A100-40GB --gpus 2"))
    assert done.code == 1
    assert "^ the card ends here (39.4 GiB)" in done.out
    assert "Does not fit: meditron-70b 16-bit does not fit on 2 x A100-40GB" in done.out
    assert "To make it fit: use 4 GPUs, or use quantization eetq." in done.out
    assert "Not T4" not in done.out


def test_matrix_has_every_card_and_count() -> None:
    done = meditron(*words("-m meditron-70b -q gptq"))
    assert done.code == 0
    lines = {line.split()[0]: line.split() for line in done.out.splitlines()}
    assert set(GPUS) <= set(lines)
    assert lines["A100-40GB"] == ["A100-40GB", "~1", "21", "65", "153"]
    assert lines["L4"] == ["L4", "-", "1", "25", "72"]
    assert "V100-32GB has no sharded path" in done.out


def test_matrix_marks_what_is_too_few() -> None:
    done = meditron(*words("-m meditron-70b --concurrency 100 --gpus 4"))
    lines = {line.split()[0]: line.split() for line in done.out.splitlines()}
    assert [lines[card][1] for card in ("A100-40GB", "A100-80GB", "H100-94GB", "L4")] == ["(10)", "~107", "128", "-"]


def test_matrix_in_json() -> None:
    done = meditron(*words("-m meditron-7b -q gptq -o json"))
    answer = done.json
    assert answer["fits"] is True
    assert {cell["gpuType"] for cell in answer["matrix"]} == set(GPUS)
    assert {cell["gpusPerReplica"] for cell in answer["matrix"]} == {1, 2}
    nothing = meditron(*words("-m meditron-70b --gpus 1 --concurrency 1000 -o json"))
    assert (nothing.code, nothing.json["fits"]) == (1, False)


def test_names_of_quantized_repositories_say_what_they_hold() -> None:
    for name, method in (("TheBloke/meditron-70B-GPTQ", "gptq"), ("TheBloke/meditron-70B-AWQ", "awq")):
        assert f"meditron-70b {method} on" in meditron(*words(f"-m {name} --gpu L40S")).out
    assert "16-bit on" in meditron(*words("-m epfl-llm/meditron-70b --gpu H200-141GB")).out


def test_case_of_a_card_does_not_matter() -> None:
    assert meditron(*words("-m meditron-7b --gpu l4")).code == 0


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sample_can_be_planned(sample: Path) -> None:
    done = meditron("plan", "-f", str(sample), "-o", "json")
    assert done.code == (1 if sample.stem == "does-not-fit" else 0)


def test_a_manifest_comes_from_standard_input_too() -> None:
    sample = SAMPLES / "meditron-7b-1xl4.yaml"
    asked = meditron("plan", "-f", "-", "-o", "json", stdin=sample.read_text())
    assert asked.json == meditron("plan", "-f", str(sample), "-o", "json").json


def test_config_json_beats_the_catalog(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config(vocab_size=32_017))
    asked = ["plan", "--config", str(tmp_path / "config.json"), "--gpu", "A100-80GB", "--gpus", "4", "-o", "json"]
    known = meditron(*words("-m llama-2-70b --gpu A100-80GB --gpus 4 -o json")).json
    more = meditron(*asked).json["bytesPerGPU"]["weights"] - known["bytesPerGPU"]["weights"]
    assert more == 2 * 8_192 * ((8_005 - 8_000) + (32_017 - 8_000))


@pytest.mark.parametrize(("text", "name"), [(quantized(GPTQ, group_size=32), "gptq"), (quantized(AWQ), "awq")])
def test_config_json_says_the_quantization(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "config.json").write_text(text)
    done = meditron("plan", "--config", str(tmp_path), "--gpu", "L40S", "--explain")
    assert f" {name} (4 bit, groups of {32 if name == 'gptq' else 128}" in done.out
    refused = meditron("plan", "--config", str(tmp_path), "--gpu", "L40S", "-q", "eetq").refused()
    assert f"the checkpoint holds {name} weights, so it can't run as eetq" in refused


def test_quantize_config_of_autogptq_counts_where_config_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config())
    separate = {"bits": 4, "group_size": 64, "desc_act": True, "sym": True}
    (tmp_path / "quantize_config.json").write_text(json.dumps(separate))
    assert "(4 bit, groups of 64, act-order)" in meditron("plan", "--config", str(tmp_path), "--gpu", "L40S").out
    (tmp_path / "config.json").write_text(quantized(AWQ))
    assert "asymmetric)" in meditron("plan", "--config", str(tmp_path), "--gpu", "L40S").out


@pytest.mark.parametrize(
    "text",
    [
        config(vocab_size=32_017, tie_word_embeddings=True, mlp_bias=True, torch_dtype="float32"),
        quantized(GPTQ, group_size=-1, desc_act=True, sym=False),
        quantized(AWQ, group_size=64),
    ],
)
def test_what_was_read_can_be_put_into_a_manifest(tmp_path: Path, text: str) -> None:
    """The operator then answers the same: what it was sized for is what is deployed."""
    (tmp_path / "config.json").write_text(text)
    asked = ["plan", "--config", str(tmp_path), "--gpu", "H200-141GB", "--gpus", "2", "--explain"]
    known = meditron(*asked, "-o", "json").json
    manifest = yaml.safe_load((SAMPLES / "meditron-7b-1xl4.yaml").read_text())
    manifest["spec"]["gpu"] = {"type": "H200-141GB", "count": 2}
    del manifest["spec"]["model"]["contextTokens"]
    manifest["spec"]["model"] |= {"id": "ward/own"} | known["manifest"]["spec"]["model"]
    planned = meditron("plan", "-f", "-", "-o", "json", stdin=yaml.safe_dump(manifest)).json
    assert planned["bytesPerGPU"] == known["bytesPerGPU"]
    assert planned["safeTokens"] == known["safeTokens"]
    assert "For the manifest\nspec:\n  model:\n" in meditron(*asked).out


def test_a_model_of_the_catalog_needs_no_description() -> None:
    assert "manifest" not in meditron(*words("-m meditron-7b --gpu L4 --explain -o json")).json


def sparse(path: Path, size: int) -> None:
    """A file of that size without its bytes."""
    with path.open("wb") as file:
        file.truncate(size)


def test_sizes_of_real_files_beat_the_formula_and_a_difference_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config())
    formula = 137_953_296_384
    sparse(tmp_path / "model-00001-of-00002.safetensors", formula // 2)
    sparse(tmp_path / "model-00002-of-00002.safetensors", formula // 2 + 7_000_000_000)
    answer = meditron("plan", "--config", str(tmp_path), "--gpu", "H200-141GB", "--gpus", "2", "-o", "json").json
    plain = meditron(*words("-m llama-2-70b --gpu H200-141GB --gpus 2 -o json")).json
    assert answer["bytesPerGPU"]["weights"] - plain["bytesPerGPU"]["weights"] == 3_500_000_000
    (reason,) = answer["reasons"]
    assert reason.startswith("the weight files hold 144,953,296,384 bytes, +5.1%")


def test_a_checkpoint_that_is_half_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config())
    files = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    index = {"weight_map": {str(number): file for number, file in enumerate(files)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert meditron("plan", "--config", str(tmp_path), "--gpu", "L40S").code == 0, "an index alone is only a listing"
    sparse(tmp_path / files[0], 10)
    line = meditron("plan", "--config", str(tmp_path), "--gpu", "L40S").refused()
    assert "incomplete: model-00002-of-00003.safetensors and 1 more of model.safetensors.index.json" in line


def test_cold_start() -> None:
    """Half a second and 60 MB. CPU time is what is asked for: on a busy machine the clock tells of others."""
    command = [PROGRAM, *words("-m meditron-70b -q gptq --gpu A100-40GB")]
    program = (
        f"import resource, subprocess; subprocess.run({command!r}, check=True, stdout=subprocess.DEVNULL);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
        for _ in range(3)
    ]
    seconds, kib = zip(*(map(float, run.stdout.split()) for run in runs), strict=True)
    assert min(seconds) < 0.5
    assert max(kib) < 60 * 1024


def test_importing_the_command_line_stays_light() -> None:
    program = (
        "import sys, meditron_operator.cli.main;"
        "heavy = ('kopf', 'kubernetes', 'huggingface_hub', 'aiohttp', 'pydantic', 'rich', 'yaml');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
