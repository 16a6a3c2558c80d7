"""Names and kinds of all series, and that none is there before its first value."""

import re
from pathlib import Path

import aiohttp
import pytest

from tests.contract.tgi.asking import Asking
from tests.contract.tgi.doubles import double

COUNTERS = {
    "tgi_request_count",
    "tgi_request_success",
    "tgi_request_failure",
    "tgi_batch_inference_count",
    "tgi_batch_inference_success",
    "tgi_batch_inference_failure",
    "tgi_batch_concat",
}
GAUGES = {"tgi_queue_size", "tgi_batch_current_size", "tgi_batch_current_max_tokens"}
HISTOGRAMS = {
    "tgi_request_duration",
    "tgi_request_validation_duration",
    "tgi_request_queue_duration",
    "tgi_request_inference_duration",
    "tgi_request_mean_time_per_token_duration",
    "tgi_request_input_length",
    "tgi_request_generated_tokens",
    "tgi_request_max_new_tokens",
    "tgi_batch_inference_duration",
    "tgi_batch_forward_duration",
    "tgi_batch_decode_duration",
    "tgi_batch_filter_duration",
    "tgi_batch_concat_duration",
    "tgi_batch_next_size",
}
SUMMARIES = {"tgi_request_skipped_tokens"}
LINE = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [0-9.]+|')


def kinds(text: str) -> dict[str, str]:
    heads = [line.split() for line in text.splitlines() if line.startswith("# TYPE")]
    return {name: kind for _, _, name, kind in heads}


async def test_series_come_with_their_first_value(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    with double(tmp_path / "one", {"MAX_CONCURRENT_REQUESTS": "2"}) as one:
        asking = Asking(http, one.url, one.control)
        assert (await asking.get("/metrics")).text == ""
        await asking.get("/health")
        await asking.get("/info")
        assert (await asking.get("/metrics")).text == ""
        await asking.generate("")
        assert kinds((await asking.get("/metrics")).text) == {
            "tgi_request_count": "counter",
            "tgi_request_failure": "counter",
        }
        await asking.generate("one", max_new_tokens=1)
        assert "tgi_batch_concat" not in kinds((await asking.get("/metrics")).text)


async def test_names_and_kinds(engine: Asking) -> None:
    await engine.faults(token_delay_seconds=0.02)
    async with engine.http.post(f"{engine.url}/generate_stream", json={"inputs": "one"}) as first:
        await first.content.readline()
        await engine.generate("one", max_new_tokens=2)  # joins the batch of the stream
    await engine.faults(forward_failures=1)
    await engine.generate("one", max_new_tokens=1)
    told = await engine.get("/metrics")
    assert told.headers["content-type"] == "text/plain; charset=utf-8"
    found = kinds(told.text)
    assert {name for name, kind in found.items() if kind == "counter"} == COUNTERS
    assert {name for name, kind in found.items() if kind == "gauge"} == GAUGES
    assert {name for name, kind in found.items() if kind == "histogram"} == HISTOGRAMS
    assert {name for name, kind in found.items() if kind == "summary"} == SUMMARIES
    assert [line for line in told.text.splitlines() if not LINE.fullmatch(line)] == []


async def test_labels(engine: Asking) -> None:
    await engine.generate("one", max_new_tokens=2)
    metrics = await engine.metrics()
    for method in ("prefill", "decode"):
        label = f'method="{method}"'
        assert metrics[f"tgi_batch_inference_count{{{label}}}"] > 0
        assert metrics[f"tgi_batch_inference_success{{{label}}}"] > 0
        assert metrics[f'tgi_batch_forward_duration_bucket{{{label},le="+Inf"}}'] > 0


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("tgi_request_duration", 35, "0.00015000000000000001", 145.6),
        ("tgi_request_input_length", 100, "10", 1000),
        ("tgi_request_generated_tokens", 100, "15.12", 1512),
        ("tgi_batch_next_size", 1024, "1", 1024),
    ],
)
async def test_buckets(engine: Asking, name: str, count: int, first: str, last: float) -> None:
    await engine.generate("one", max_new_tokens=1)
    text = (await engine.get("/metrics")).text
    bounds = re.findall(rf'^{name}_bucket\{{le="([^"]+)"\}}', text, re.MULTILINE)
    assert len(bounds) == count + 1
    assert (bounds[0], bounds[-1]) == (first, "+Inf")
    assert float(bounds[-2]) == pytest.approx(last, rel=0.001)


async def test_counts(engine: Asking) -> None:
    """A chat is counted twice: by its own route and by what generates."""
    before = (await engine.metrics()).get("tgi_request_count", 0)
    await engine.generate("one", max_new_tokens=1)
    await engine.stream("one", max_new_tokens=1)
    await engine.chat(max_tokens=1)
    await engine.get("/info")
    await engine.post("/tokenize", {"inputs": "one"})
    assert (await engine.metrics())["tgi_request_count"] == before + 4
