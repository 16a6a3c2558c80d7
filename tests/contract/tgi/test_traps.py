"""What TGI does that surprises; numbered as the operator's notes on it number them."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import LLAMA_7B, double, make_model, own_address

BODY = {"inputs": "one two", "parameters": {"max_new_tokens": 8}}


async def adapter_text(asking: Asking, adapter: str | None) -> str:
    told = await asking.generate("one two", max_new_tokens=8, adapter_id=adapter)
    return str(told.json["generated_text"])


def test_trap_01_max_batch_total_tokens_is_ignored(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"MAX_BATCH_TOTAL_TOKENS": "5000"}) as one:
        assert (
            "WARN text_generation_router_v3: backends/v3/src/lib.rs:125: `--max-batch-total-tokens` is dep" in one.log
        )
        assert "Inferred max batch total tokens: 65536" in one.log
        assert "Setting max batch total tokens to 65536" in one.log


def test_trap_02_a_total_without_an_input_limit_may_not_survive_the_warm_up(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"MAX_TOTAL_TOKENS": "2048"}, wait=False) as one:
        assert one.wait_end() == 1
        assert "Not enough memory to handle 4096 prefill tokens" in one.log
    env = {"MAX_TOTAL_TOKENS": "2048", "MAX_INPUT_TOKENS": "1024", "MAX_BATCH_PREFILL_TOKENS": "2048"}
    with double(tmp_path / "two", env):
        pass


@pytest.mark.parametrize("in_config", [False, True])
def test_trap_03_dtype_and_quantization(tmp_path: Path, *, in_config: bool) -> None:
    config = LLAMA_7B | ({"quantization_config": {"quant_method": "gptq", "group_size": 128}} if in_config else {})
    make_model(tmp_path, config)
    env = {"DTYPE": "bfloat16"} | ({} if in_config else {"QUANTIZE": "awq"})
    with double(tmp_path, env, wait=False) as one:
        assert one.wait_end() == 1
        assert "Only 1 can be set between `dtype` and `quantize`, as they both decide how goes the final" in one.log
    assert one.errors == "Error: ShardCannotStart\n"


def test_trap_03_dtype_and_bitsandbytes_go_together(tmp_path: Path) -> None:
    with double(tmp_path / "one", {"DTYPE": "bfloat16", "QUANTIZE": "bitsandbytes-nf4"}):
        pass


@pytest.mark.parametrize("graphs", [False, True])
async def test_trap_05_cuda_graphs_drop_the_adapter(
    tmp_path: Path, http: aiohttp.ClientSession, *, graphs: bool
) -> None:
    env = {"LORA_ADAPTERS": "ward=/adapters/ward"} | ({} if graphs else {"CUDA_GRAPHS": "0"})
    with double(tmp_path / "one", env) as one:
        asking = Asking(http, one.url, one.control)
        base, adapted = await adapter_text(asking, None), await adapter_text(asking, "ward")
    assert (base.split()[1:] == adapted.split()[1:]) is graphs


async def test_trap_06_an_unknown_adapter_is_the_base_model(engine: Asking) -> None:
    base = await adapter_text(engine, None)
    assert await adapter_text(engine, "unknown") == base
    assert await adapter_text(engine, "ward") != base


async def test_trap_06_any_model_is_an_adapter_and_is_echoed(engine: Asking) -> None:
    async def answer(model: str | None) -> tuple[str, str]:
        told = (await engine.chat(max_tokens=8, temperature=0, model=model)).json
        return told["model"], told["choices"][0]["message"]["content"]

    (base_name, base), (unknown_name, unknown) = await answer("tgi"), await answer("gpt-5")
    adapter_name, adapted = await answer("ward")
    assert (unknown_name, adapter_name) == ("gpt-5", "ward")
    assert base_name.startswith("/")
    assert unknown == base != adapted


async def test_trap_07_errors_in_streams_are_http_200(engine: Asking) -> None:
    assert (await engine.generate("")).status == 422
    streamed = await engine.stream("")
    assert (streamed.status, streamed.events[0]["error_type"]) == (200, "validation")


async def test_trap_08_a_revision_sends_the_router_to_the_hub(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """For a local path it finds nothing there, and so has no chat template either."""
    with double(tmp_path / "one", {"REVISION": "main"}) as one:
        assert "Using the Hugging Face API" in one.log
        assert "Could not retrieve model info from the Hugging Face hub." in one.log
        assert (await Asking(http, one.url, one.control).chat()).json["error_type"] == "template_error"


def test_trap_09_the_prometheus_port_is_bound_and_never_served(tmp_path: Path) -> None:
    with double(tmp_path / "one") as one:
        assert not one.is_open(9000)
    address = own_address()
    with socket.create_server((address, 9000)), double(tmp_path / "two", {"HOSTNAME": address}, wait=False) as one:
        assert one.wait_end() == 1
        assert "failed to build prometheus recorder" in one.log


def test_trap_12_a_pods_name_is_no_address(tmp_path: Path) -> None:
    """The double then listens everywhere, on a port that was free a moment ago."""
    with socket.create_server((own_address(), 0)) as found:
        port = found.getsockname()[1]
    with double(tmp_path / "one", {"HOSTNAME": "ward-assistant-0", "PORT": str(port), "PROMETHEUS_PORT": "0"}) as one:
        assert "Invalid hostname, defaulting to 0.0.0.0" in one.log


async def test_trap_13_health_waits_for_the_step_that_runs(engine: Asking) -> None:
    await engine.faults(prefill_delay_seconds=0.4)
    asked = asyncio.create_task(engine.generate("one", max_new_tokens=1))
    await engine.until(lambda state: state["batch"] == 1)
    began = time.monotonic()
    assert (await engine.get("/health")).status == 200
    assert time.monotonic() - began > 0.2
    assert (await asked).status == 200


@pytest.mark.parametrize(
    ("env", "shards"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, 4),
        ({"NVIDIA_VISIBLE_DEVICES": "all", "DOUBLE_GPUS": "2"}, 2),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, 1),
        ({"NVIDIA_VISIBLE_DEVICES": "0,1", "NUM_SHARD": "1"}, 1),
    ],
)
def test_trap_14_shards_are_counted_by_commas(tmp_path: Path, env: dict[str, str], shards: int) -> None:
    with double(tmp_path / "one", env) as one:
        assert one.log.count("Shard ready in") == shards


@pytest.mark.parametrize(("shards", "starts"), [(1, True), (2, True), (4, False)])
def test_trap_15_groups_of_128_limit_the_shards_of_a_7b(tmp_path: Path, shards: int, *, starts: bool) -> None:
    make_model(tmp_path, LLAMA_7B | {"quantization_config": {"quant_method": "awq", "group_size": 128}})
    with double(tmp_path, {"NUM_SHARD": str(shards)}, wait=starts) as one:
        if not starts:
            assert one.wait_end() == 1


async def test_a_base_model_has_no_chat_template(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    make_model(tmp_path, template=False)
    with double(tmp_path) as one:
        asking = Asking(http, one.url, one.control)
        for stream in (False, True):  # the template comes before the stream, so this error has its status
            told = await asking.chat(stream=stream)
            assert told.status == 422
            assert told.json == {"error": "Template error: template not found", "error_type": "template_error"}
        assert (await asking.post("/generate", BODY)).status == 200


async def test_a_tokenizer_config_can_bring_a_chat_template(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    make_model(tmp_path, template=False)
    given = tmp_path / "tokenizer.json"
    given.write_text('{"chat_template": "{{ messages }}"}', encoding="utf-8")
    with double(tmp_path, {"TOKENIZER_CONFIG_PATH": str(given)}) as one:
        told: Any = (await Asking(http, one.url, one.control).chat(max_tokens=1)).json
        assert told["object"] == "chat.completion"
