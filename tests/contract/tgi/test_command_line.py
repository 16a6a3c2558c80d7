"""What the launcher refuses, in its words and with its exit codes; and what it takes from the environment."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import LLAMA_7B, Double, double, make_model
from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.commandline import CommandLineError
from tests.doubles.tgi.launch import Launch, LauncherError, plan
from tests.doubles.tgi.modelfiles import ModelFiles
from tests.doubles.tgi.shards import refusal
from tests.doubles.tgi.warmup import RouterError, check_before, warm_up

USAGE = "\n\nUsage: text-generation-launcher [OPTIONS]\n\nFor more information, try '--help'.\n"
HELP = "\n\nFor more information, try '--help'.\n"
INVALID = "error: invalid value '{}' for '--{} <{}>': {}" + HELP


def ended(
    folder: Path, env: dict[str, str], argv: Sequence[str] = (), config: dict[str, Any] | None = None
) -> tuple[int, Double]:
    """The exit code of a double that must not come up."""
    folder.mkdir(exist_ok=True)
    make_model(folder, config)
    with double(folder, env, argv, wait=False) as one:
        return one.wait_end(), one


def files_of(config: dict[str, Any]) -> ModelFiles:
    return ModelFiles(is_directory=True, has_weights=True, config=config, tokenizer_config={}, chat_template_file=None)


def launch_of(env: dict[str, str], config: dict[str, Any]) -> Launch:
    return plan(Arguments.of([], env), env, files_of(config), None)


@pytest.mark.parametrize(
    ("env", "argv", "words"),
    [
        (
            {"PROMETHEUS_PORT": "tcp://10.96.0.7:9090"},
            [],
            INVALID.format(
                "tcp://10.96.0.7:9090", "prometheus-port", "PROMETHEUS_PORT", "invalid digit found in string"
            ),
        ),
        (
            {"MASTER_PORT": "tcp://10.96.0.8:80"},
            [],
            INVALID.format("tcp://10.96.0.8:80", "master-port", "MASTER_PORT", "invalid digit found in string"),
        ),
        ({"PORT": "70000"}, [], INVALID.format("70000", "port", "PORT", "70000 is not in 0..=65535")),
        ({"PORT": ""}, [], INVALID.format("", "port", "PORT", "cannot parse integer from empty string")),
        (
            {"MAX_TOTAL_TOKENS": "-1"},
            [],
            INVALID.format("-1", "max-total-tokens", "MAX_TOTAL_TOKENS", "invalid digit found in string"),
        ),
        (
            {"CUDA_MEMORY_FRACTION": "half"},
            [],
            INVALID.format("half", "cuda-memory-fraction", "CUDA_MEMORY_FRACTION", "invalid float literal"),
        ),
        (
            {"QUANTIZE": "int3"},
            [],
            (
                "error: invalid value 'int3' for '--quantize <QUANTIZE>'\n"
                "  [possible values: awq, compressed-tensors, eetq, exl2, gptq, marlin, bitsandbytes, "
                "bitsandbytes-nf4, bitsandbytes-fp4, fp8]" + HELP
            ),
        ),
        (
            {"TRUST_REMOTE_CODE": "1"},
            [],
            "error: invalid value '1' for '--trust-remote-code'\n  [possible values: true, false]" + HELP,
        ),
        (
            {"CUDA_GRAPHS": "1,two"},
            [],
            INVALID.format("two", "cuda-graphs", "CUDA_GRAPHS", "invalid digit found in string"),
        ),
        (
            {"DISABLE_CUSTOM_KERNELS": "True"},
            [],
            (
                "error: invalid value 'True' for '--disable-custom-kernels'\n  [possible values: true, false]\n\n"
                "  tip: a similar value exists: 'true'" + HELP
            ),
        ),
        ({}, ["--zzz", "x"], "error: unexpected argument '--zzz' found" + USAGE),
        (
            {},
            ["--modle-id", "x"],
            "error: unexpected argument '--modle-id' found\n\n  tip: a similar argument exists: '--model-id'" + USAGE,
        ),
        ({}, ["--model-id", "my", "model"], "error: unexpected argument 'model' found" + USAGE),
        ({}, ["--port"], "error: a value is required for '--port <PORT>' but none was supplied" + HELP),
        (
            {},
            ["--port", "1", "-p", "2"],
            "error: the argument '--port <PORT>' cannot be used multiple times" + USAGE,
        ),
    ],
)
def test_clap_refuses(env: dict[str, str], argv: list[str], words: str) -> None:
    with pytest.raises(CommandLineError) as refused:
        Arguments.of(argv, env)
    assert (str(refused.value), refused.value.code) == (words, 2)


def test_clap_ends_it_with_code_2(tmp_path: Path) -> None:
    """A Service named prometheus in the namespace, and links to services not switched off."""
    link = "tcp://10.96.0.7:9090"
    code, one = ended(tmp_path, {"PROMETHEUS_PORT": link})
    words = INVALID.format(link, "prometheus-port", "PROMETHEUS_PORT", "invalid digit found in string")
    assert (code, one.errors, one.log) == (2, words, "")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (
            {"MAX_INPUT_TOKENS": "2048", "MAX_TOTAL_TOKENS": "2048"},
            "`max_input_tokens`(2048) must be < `max_total_tokens`(2048)",
        ),
        (
            {"MAX_INPUT_TOKENS": "10", "MAX_INPUT_LENGTH": "10"},
            (
                "Both `max_input_tokens` (10) and `max_input_length` (10) are set. Please define only "
                "`max_input_tokens` as `max_input_length is deprecated for naming consistency."
            ),
        ),
        ({"SHARDED": "true", "NUM_SHARD": "1"}, "`sharded` is true but `num_shard` <= 1"),
        ({"NUM_SHARD": "0"}, "`num_shard` cannot be < 1"),
        ({"QUANTIZE": "exl2", "NUM_SHARD": "2"}, "Sharding is currently not supported with `exl2` quantization"),
        ({"VALIDATION_WORKERS": "0"}, "`validation_workers` must be > 0"),
        (
            {"MAX_TOTAL_TOKENS": "4096", "MAX_BATCH_TOTAL_TOKENS": "4000"},
            "`max_total_tokens` must be <= `max_batch_total_tokens`. Given: 4096 and 4000",
        ),
        ({"NGROK": "true"}, "`ngrok-authtoken` must be set when using ngrok tunneling"),
    ],
)
def test_the_launcher_refuses(env: dict[str, str], words: str) -> None:
    with pytest.raises(LauncherError) as refused:
        launch_of(env, {})
    assert str(refused.value) == f'ArgumentValidation("{words}")'


def test_the_launcher_ends_it_with_code_1(tmp_path: Path) -> None:
    code, one = ended(tmp_path, {"SHARDED": "true", "CUDA_VISIBLE_DEVICES": "0"})
    words = 'Error: NotEnoughCUDADevices("`sharded` is true but only found 1 CUDA devices")\n'
    assert (code, one.errors) == (1, words)
    assert "Starting check and download process" not in one.log


@pytest.mark.parametrize(
    ("env", "config", "words"),
    [
        ({"NUM_SHARD": "3"}, LLAMA_7B, "`num_heads` must be divisible by `num_shards` (got `num_heads`: 32 and"),
        (
            {"NUM_SHARD": "4"},
            LLAMA_7B | {"num_key_value_heads": 2},
            "`num_key_value_heads` must be divisible by `num_shards` (got `num_key_value_heads`: 2 and",
        ),
        (
            {"NUM_SHARD": "4"},
            LLAMA_7B | {"quantization_config": {"quant_method": "gptq", "group_size": 128}},
            "AssertionError: The choosen size 86 is not compatible with sharding on 4 shards",
        ),
        ({"NUM_SHARD": "2", "DOUBLE_GPUS": "1"}, {}, "AssertionError: Each process is one gpu"),
    ],
)
def test_a_number_of_shards_that_the_model_does_not_allow(
    env: dict[str, str], config: dict[str, Any], words: str
) -> None:
    gpus = int(env.get("DOUBLE_GPUS", "0")) or None
    told = refusal(Arguments.of([], env), launch_of(env, config), files_of(config), gpus)
    assert told is not None
    assert words in told


def test_a_shard_ends_it_with_code_1(tmp_path: Path) -> None:
    code, one = ended(tmp_path, {"NUM_SHARD": "3"}, config=LLAMA_7B)
    assert (code, one.errors) == (1, "Error: ShardCannotStart\n")
    assert "ValueError: `num_heads` must be divisible by `num_shards`" in one.log
    assert "ERROR text_generation_launcher: Shard 0 failed to start" in one.log


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"MAX_TOTAL_TOKENS": "9000", "MAX_INPUT_TOKENS": "10"}, "Backend(NotEnoughMemory(9000))"),
        (
            {"MAX_BATCH_PREFILL_TOKENS": "9000"},
            (
                'ArgumentValidation("`max_batch_prefill_tokens` must be <= `max_batch_total_tokens`. '
                'Given: 9000 and 8000")'
            ),
        ),
        (
            {"ATTENTION": "paged", "MAX_INPUT_TOKENS": "2000", "MAX_BATCH_PREFILL_TOKENS": "1000"},
            'ArgumentValidation("`max_batch_prefill_tokens` must be >= `max_input_tokens`. Given: 1000 and 2000")',
        ),
    ],
)
def test_the_router_refuses_after_the_warm_up(env: dict[str, str], words: str) -> None:
    with pytest.raises(RouterError) as refused:
        warm_up(Arguments.of([], env), launch_of(env, {}), files_of({}), 8000)
    assert str(refused.value) == words


def test_the_router_ends_it_with_code_1(tmp_path: Path) -> None:
    code, one = ended(tmp_path, {"MAX_TOTAL_TOKENS": "9000", "MAX_INPUT_TOKENS": "10", "DOUBLE_KV_TOKENS": "8000"})
    assert (code, one.errors) == (1, "Error: WebserverFailed\n")
    assert "Error: Backend(NotEnoughMemory(9000))\n" in one.log
    assert "ERROR text_generation_launcher: Webserver Crashed" in one.log


async def test_flags_come_before_the_environment(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    argv = ["--max-concurrent-requests=7", "--max-total-tokens", "3000", "--max-input-tokens", "2000"]
    env = {"MAX_CONCURRENT_REQUESTS": "9", "MAX_BEST_OF": "1", "MAX_BATCH_PREFILL_TOKENS": "2000"}
    with double(tmp_path / "one", env, argv) as one:
        info = (await Asking(http, one.url, one.control).get("/info")).json
        assert (info["max_concurrent_requests"], info["max_best_of"], info["max_total_tokens"]) == (7, 1, 3000)
        assert "    max_total_tokens: Some(\n        3000,\n    ),\n" in one.log  # the whole Args, as Rust shows it


async def test_limits_default_to_what_the_model_and_the_cache_allow(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    make_model(tmp_path, LLAMA_7B)
    with double(tmp_path) as one:
        info = (await Asking(http, one.url, one.control).get("/info")).json
        assert (info["max_input_tokens"], info["max_total_tokens"]) == (2047, 2048)
        assert "Default `max_batch_prefill_tokens` to 2048" in one.log
        assert "Maximum input tokens defaulted to 2047" in one.log


def test_a_smaller_memory_fraction_leaves_a_smaller_cache(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"CUDA_MEMORY_FRACTION": "0.5"}) as one:
        assert "Setting max batch total tokens to 32768" in one.log


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(RouterError, match="`max_batch_size` must be > 0"):
        check_before(Arguments.of([], {"MAX_BATCH_SIZE": "0"}))


async def test_one_shard_for_each_visible_device(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"CUDA_VISIBLE_DEVICES": "0,1"}) as one:
        assert "Sharding model on 2 processes" in one.log
        assert "Shard ready in" in one.log
        assert "rank=1" in one.log


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"DOUBLE_NO_SUCH": "1"}, None),  # an unknown variable is not the double's
        ({"DOUBLE_LOAD_SECONDS": "soon"}, "load_seconds must be like 0.0, not 'soon'"),
        ({"DOUBLE_CRASH": "loud"}, "crash must be shard, oom, exit:N or signal:N, not 'loud'"),
    ],
)
def test_a_wrong_setting_of_the_double_is_said(tmp_path: Path, env: dict[str, str], words: str | None) -> None:
    if words is None:
        with double(tmp_path / "one", env):
            return
    code, one = ended(tmp_path, env)
    assert (code, one.errors) == (2, f"error: DOUBLE_{words}\n")


def test_json_output(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"JSON_OUTPUT": "true"}) as one:
        lines = [json.loads(line) for line in one.log.splitlines()]
        launcher = next(line for line in lines if line.get("fields", {}).get("message") == "Starting Webserver")
        assert (launcher["level"], launcher["target"]) == ("INFO", "text_generation_launcher")
        assert any(line.get("message") == "Connected" and line["line_number"] for line in lines)
