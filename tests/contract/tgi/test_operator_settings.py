"""What the operator renders is what TGI starts with: every golden's environment, judged by the launcher's rules."""

from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import LLAMA_7B, ROOT, double, make_model
from tests.doubles.tgi.arguments import Arguments
from tests.doubles.tgi.launch import plan
from tests.doubles.tgi.modelfiles import ModelFiles
from tests.doubles.tgi.settings import Setup
from tests.doubles.tgi.shards import refusal
from tests.doubles.tgi.warmup import warm_up

GOLDENS: Final = sorted((ROOT / "tests" / "golden").glob("*.yaml"))
LLAMA_70B: Final = {
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "max_position_embeddings": 4096,
}
GPTQ: Final = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False}}


def container(golden: Path) -> dict[str, Any]:
    documents = yaml.safe_load_all(golden.read_text(encoding="utf-8"))
    sets = [document for document in documents if document["kind"] == "StatefulSet"]
    [found] = sets[0]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(found: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in found["env"] if "value" in one}


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.stem)
def test_no_golden_is_refused(golden: Path) -> None:
    found = container(golden)
    env = environment(found)
    config = (LLAMA_70B if "70b" in env["MODEL_ID"] else LLAMA_7B) | (GPTQ if "gptq" in env["MODEL_ID"] else {})
    files = ModelFiles(is_directory=True, has_weights=True, config=config, tokenizer_config={}, chat_template_file=None)
    gpus = sum(int(count) for name, count in found["resources"]["limits"].items() if "/" in name)
    arguments = Arguments.of(found.get("args", []), env)
    launch = plan(arguments, env, files, gpus)
    assert launch.num_shard == gpus
    assert refusal(arguments, launch, files, gpus) is None
    warm = warm_up(arguments, launch, files, Setup().kv_tokens)
    assert (warm.max_input_tokens, warm.max_total_tokens) == (
        int(env["MAX_INPUT_TOKENS"]),
        int(env["MAX_TOTAL_TOKENS"]),
    )
    assert not warm.warnings


async def test_a_double_starts_with_the_operators_environment(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    found = container(ROOT / "tests" / "golden" / "7b-1xl4.yaml")
    env = environment(found)
    model = make_model(tmp_path, LLAMA_7B)
    with double(tmp_path, env | {"MODEL_ID": str(model)}) as one:
        asking = Asking(http, one.url, one.control)
        assert (await asking.get(found["readinessProbe"]["httpGet"]["path"])).status == 200
        info = (await asking.get("/info")).json
        assert info["max_total_tokens"] == int(env["MAX_TOTAL_TOKENS"])
        assert info["max_concurrent_requests"] == int(env["MAX_CONCURRENT_REQUESTS"])
        told = await asking.generate("one " * (info["max_input_tokens"] - 2), max_new_tokens=1)
        assert told.status == 200
