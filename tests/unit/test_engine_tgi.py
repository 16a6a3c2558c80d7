"""What every engine must keep, and the traps of text-generation-inference that this release's code steps around."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.catalog.quantization import FACTS, Quantization
from meditron_operator.core.engines import ENGINES
from meditron_operator.core.engines.base import Launch, Sized
from meditron_operator.core.engines.environment import REFUSED, SET_BY_OPERATOR
from meditron_operator.core.sizing import KvCacheDtype
from tests.unit.kit import DIGEST, accepted, spec

IMAGE_SOURCE = {"image": {"reference": "r.example/w" + DIGEST, "path": "m"}}


def reachable() -> list[Sized]:
    """Every plan that a model, a quantization, a card and a cache format can lead to."""
    found = []
    for model, quantization, gpu, cache in product(MODELS, Quantization, GPUS, KvCacheDtype):
        raw = spec({"model.id": model, "model.quantization": quantization.value, "gpu.type": gpu,
                    "model.kvCacheDtype": cache.value, "model.contextTokens": 2048})  # fmt: skip
        verdict = assess("ward", raw, None)
        if isinstance(verdict, Accepted):
            found.append(verdict.sized)
    return found


REACHABLE = reachable()


def launch(changes: dict[str, Any] | None = None) -> Launch:
    return ENGINES["tgi"](accepted(changes).sized)


def environment(changes: dict[str, Any] | None = None) -> dict[str, str]:
    return dict(launch(changes).environment)


@pytest.mark.parametrize("name", ENGINES)
def test_contract_of_every_engine(name: str) -> None:
    """Holds for every plan there is."""
    for sized in REACHABLE:
        launched = ENGINES[name](sized)
        assert list(launched.environment) == sorted(launched.environment)
        assert len({key for key, _ in launched.environment}) == len(launched.environment)
        assert launched.port > 1024, "a non-root user can't bind it"
        assert launched.model_mount.startswith("/")
        paths = [launched.model_mount, launched.shared_memory_path, *(folder.path for folder in launched.scratch)]
        assert len(set(paths)) == len(paths)
        assert all(folder.limit_bytes > 0 for folder in launched.scratch)
        assert sum(folder.limit_bytes for folder in launched.scratch) <= sized.plan.ephemeral_storage_bytes
        for probe in (launched.startup, launched.readiness, launched.liveness):
            assert min(probe.period_seconds, probe.timeout_seconds, probe.failure_threshold) >= 1
        startup = launched.startup
        assert startup.period_seconds * startup.failure_threshold >= launched.startup_budget_seconds
        assert launched.startup_budget_seconds >= 600
        assert launched.termination_grace_seconds > sized.spec.shutdown.grace_seconds
        assert launched == ENGINES[name](sized)


def test_what_the_operator_can_set_is_reserved_and_nothing_else() -> None:
    everything = {name for sized in REACHABLE for name, _ in ENGINES["tgi"](sized).environment}
    everything |= environment({"model.source": IMAGE_SOURCE, "offline": True}).keys()
    everything |= environment({"model.quantization": "none", "model.dtype": "float16", "gpu.count": 4}).keys()
    assert everything == SET_BY_OPERATOR


def test_what_is_refused_is_never_set() -> None:
    assert not SET_BY_OPERATOR & REFUSED
    assert {"TRUST_REMOTE_CODE", "HF_TOKEN", "API_KEY", "LD_PRELOAD"} <= REFUSED


# --- trap 1: ignored for flash models, would look like a limit
def test_the_total_of_a_batch_is_never_given() -> None:
    assert all("MAX_BATCH_TOTAL_TOKENS" not in dict(ENGINES["tgi"](sized).environment) for sized in REACHABLE)


# --- trap 2
@settings(max_examples=60, deadline=None)
@given(st.integers(64, 4096), st.sampled_from(["L4", "A100-80GB", "T4"]))
def test_input_total_and_prefill_stand_together_and_in_order(context: int, gpu: str) -> None:
    """TGI computes total - input in unsigned numbers; a prefill below the input needs chunking."""
    raw = spec(
        {"model.id": "meditron-7b", "model.quantization": "none", "model.contextTokens": context, "gpu.type": gpu}
    )
    verdict = assess("ward", raw, None)
    if not isinstance(verdict, Accepted):
        return
    given_ = dict(ENGINES["tgi"](verdict.sized).environment)
    longest, total = int(given_["MAX_INPUT_TOKENS"]), int(given_["MAX_TOTAL_TOKENS"])
    prefill = int(given_["MAX_BATCH_PREFILL_TOKENS"])
    assert 0 < longest < total == context
    assert prefill <= total
    assert total <= verdict.sized.plan.safe_tokens
    if given_.get("PREFILL_CHUNKING") == "0":
        assert prefill >= longest


# --- traps 3 and 4
@pytest.mark.parametrize("quantization", Quantization)
def test_dtype_is_given_exactly_where_the_shard_takes_it(quantization: Quantization) -> None:
    plans = [sized for sized in REACHABLE if sized.spec.model.quantization is quantization]
    assert plans
    for sized in plans:
        given_ = dict(ENGINES["tgi"](sized).environment)
        assert ("DTYPE" in given_) == FACTS[quantization].dtype_allowed
        assert given_.get("QUANTIZE", "none") == quantization.value


@pytest.mark.parametrize(
    ("gpu", "quantization", "asked", "expected"),
    [
        ("A100-80GB", "none", None, "bfloat16"),
        ("L4", "none", None, "bfloat16"),
        ("MI300X", "none", None, "bfloat16"),
        ("T4", "bitsandbytes-nf4", None, "float16"),
        ("L4", "none", "float16", "float16"),
    ],
)
def test_16_bit_activations_are_what_the_card_can_and_the_model_knows(
    *, gpu: str, quantization: str, asked: str | None, expected: str
) -> None:
    changes = {"model.id": "meditron-7b", "model.quantization": quantization, "gpu.type": gpu, "gpu.count": 1}
    changes |= {"model.contextTokens": 2048} | ({"model.dtype": asked} if asked else {})
    assert environment(changes)["DTYPE"] == expected


# --- trap 8
def test_the_model_is_a_local_path_without_a_revision() -> None:
    assert environment()["MODEL_ID"] == "/model"
    path = {"model.source.persistentVolumeClaim.path": "a/b"}
    assert environment(path)["MODEL_ID"] == "/model/a/b"
    assert environment({"model.source": IMAGE_SOURCE})["MODEL_ID"] == "/model/m"
    assert "REVISION" not in environment(path)


# --- trap 9: one port for everything, above 1024
def test_the_port_is_told_to_the_engine() -> None:
    assert environment()["PORT"] == str(launch().port) == "8080"
    assert "PROMETHEUS_PORT" not in environment()


# --- trap 11
def test_what_the_router_saves_goes_to_a_writable_folder() -> None:
    folders = tuple(folder.path for folder in launch().scratch)
    assert "/usr/src/out" in folders
    for name in ("HOME", "HF_HOME", "TRITON_CACHE_DIR"):
        assert environment()[name].startswith(folders)


# --- trap 13
def test_probes_outlast_a_prefill() -> None:
    assert launch().liveness.timeout_seconds >= 60
    assert launch().readiness.timeout_seconds >= 15
    slow = launch().liveness.period_seconds * launch().liveness.failure_threshold
    assert slow > launch().readiness.period_seconds * launch().readiness.failure_threshold


# --- trap 14
def test_the_number_of_shards_is_explicit() -> None:
    for sized in REACHABLE:
        assert dict(ENGINES["tgi"](sized).environment)["NUM_SHARD"] == str(sized.plan.gpus_per_replica)


def test_nothing_is_told_to_anybody() -> None:
    for offline in (True, False):
        given_ = environment({"offline": offline})
        assert given_["USAGE_STATS"] == "off"
        assert given_["HF_HUB_DISABLE_TELEMETRY"] == given_["DO_NOT_TRACK"] == "1"
        assert (given_.get("HF_HUB_OFFLINE"), given_.get("TRANSFORMERS_OFFLINE")) == (
            ("1", "1") if offline else (None, None)
        )


def test_paged_attention_is_asked_for_where_sizing_counted_on_it() -> None:
    paged = environment({"gpu.type": "MI300X"})
    assert (paged["ATTENTION"], paged["PREFIX_CACHING"], paged["PREFILL_CHUNKING"]) == ("paged", "0", "0")
    assert "ATTENTION" not in environment()


@pytest.mark.parametrize(("concurrency", "requests"), [(1, "4"), (2, "4"), (3, "6"), (8, "16")])
def test_twice_the_planned_requests_may_wait(concurrency: int, requests: str) -> None:
    assert environment({"model.concurrency": concurrency})["MAX_CONCURRENT_REQUESTS"] == requests


def test_the_users_own_environment_is_added() -> None:
    assert environment({"engine.extraEnv": {"NCCL_DEBUG": "INFO"}})["NCCL_DEBUG"] == "INFO"


def test_a_slower_start_is_allowed_for_more_weights() -> None:
    large = launch({"model.quantization": "none", "gpu.type": "H100-80GB"}).startup_budget_seconds
    assert large > launch().startup_budget_seconds
    assert large >= 600 + 137e9 / 0.4e9
