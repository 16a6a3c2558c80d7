"""Parsing of the spec: what is accepted, and the words for what is not."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from meditron_operator.core.assess import Accepted, Surroundings, assess
from meditron_operator.core.catalog.quantization import Packing
from meditron_operator.core.sizing import Demand
from meditron_operator.core.spec import INVALID, UNPINNED, Spec, SpecError, parse
from tests.unit.auto.nodes import node
from tests.unit.kit import DIGEST, GONE, IMAGE, spec

SAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "samples").glob("*.yaml"))
NODES = Surroundings(nodes=(node("A100-80GB", 8),))
PEER = {"namespace": "ward-apps", "podLabels": {"app": "notes"}}
BOTH = {"persistentVolumeClaim": {"claimName": "w"}, "image": {"reference": "r" + DIGEST}}
MONITORING = "network.monitoring"
SHAPE = {
    "vocabSize": 32_017, "hiddenSize": 4_096, "intermediateSize": 11_008, "numHiddenLayers": 32,
    "numAttentionHeads": 32, "numKeyValueHeads": 32, "headDim": 128, "maxPositionEmbeddings": 2_048,
}  # fmt: skip
CLAIM = "model.source.persistentVolumeClaim"


def refused(raw: Any, name: str = "ward") -> SpecError:
    answer = parse(name, raw)
    assert isinstance(answer, SpecError), answer
    return answer


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_accepted(sample: Path) -> None:
    manifest = yaml.safe_load(sample.read_text(encoding="utf-8"))
    assert isinstance(parse(manifest["metadata"]["name"], manifest["spec"]), Spec)
    verdict = assess(manifest["metadata"]["name"], manifest["spec"], None, NODES)
    if sample.stem == "does-not-fit":
        assert isinstance(verdict, SpecError)
        assert verdict.reason == "DoesNotFit"
    else:
        assert isinstance(verdict, Accepted)


ACCEPTED: list[dict[str, Any]] = [
    {},
    {"model.contextTokens": 64, "model.concurrency": 1024, "replicas": 100, "shutdown.graceSeconds": 600},
    {"model.quantization": "none", "model.dtype": "float16"},
    {"model.quantization": "bitsandbytes-nf4", "model.dtype": "bfloat16"},
    {"model.source": {"image": {"reference": "r.example/w" + DIGEST, "path": "a/b.c"}}},
    {"offline": False, "engine.image": "r.example/tgi:3.3.7"},
    {f"{CLAIM}.path": "a_b/-c/d..e"},
    {"gpu.nodeSelector": {"a.example/b": "", "c": "D-1_2.3"}},
    {"gpu.tolerations": [{"operator": "Exists"}, {"key": "k"}, {"key": "k", "value": "v", "effect": "NoExecute"}]},
    {"network": {}},
    {"network.clients": [PEER] * 32, MONITORING: PEER},
    {"engine.image": GONE},
    {"engine.extraEnv": {"NCCL_DEBUG": "INFO", "_x": ""}},
    {"unknownField": 1, "model.unknownToo": 2},
    {"model.shape": SHAPE, "model.id": "ward/own-model"},
    {"model.packing": {"bits": 4, "groupSize": -1, "actOrder": True}},
]


@pytest.mark.parametrize("changes", ACCEPTED)
def test_accepted(changes: dict[str, Any]) -> None:
    assert isinstance(parse("ward", spec(changes)), Spec)


REFUSED: list[tuple[str, Any, str, str]] = [
    ("model.shape", {}, "spec.model.shape.vocabSize", "required"),
    ("model.shape", SHAPE | {"hiddenSize": 0}, "spec.model.shape.hiddenSize", "greater than or equal to 1"),
    ("model.shape", SHAPE | {"numKeyValueHeads": 5}, "spec.model.shape", "must divide numAttentionHeads"),
    ("model.packing", {"bits": 4}, "spec.model.packing.groupSize", "required"),
    ("model.packing", {"bits": 4, "groupSize": 0}, "spec.model.packing", "must not be 0; -1 is one group"),
    # field, value, path in the message, words in the message
    ("model", GONE, "spec.model", "required"),
    ("gpu", GONE, "spec.gpu", "required"),
    ("model.id", GONE, "spec.model.id", "required"),
    ("model.id", "", "spec.model.id", "match pattern"),
    ("model.id", "a/b/c", "spec.model.id", "match pattern"),
    ("model.id", "../../etc", "spec.model.id", "match pattern"),
    ("model.id", "m" * 129, "spec.model.id", "at most 128"),
    ("model.quantization", "int3", "spec.model.quantization", "'gptq'"),
    ("model.dtype", "bfloat16", "spec.model", "dtype can't be set with quantization gptq"),
    ("model.dtype", "float32", "spec.model.dtype", "'bfloat16'"),
    ("model.contextTokens", 63, "spec.model.contextTokens", "greater than or equal to 64"),
    ("model.contextTokens", 131073, "spec.model.contextTokens", "less than or equal to 131072"),
    ("model.contextTokens", "many", "spec.model.contextTokens", "valid integer"),
    ("model.contextTokens", 1.5, "spec.model.contextTokens", "valid integer"),
    ("model.concurrency", 0, "spec.model.concurrency", "greater than or equal to 1"),
    ("model.concurrency", 1025, "spec.model.concurrency", "less than or equal to 1024"),
    ("model.kvCacheDtype", "fp4", "spec.model.kvCacheDtype", "'auto'"),
    ("model.source", GONE, "spec.model.source", "required"),
    ("model.source", {}, "spec.model.source", "exactly one of persistentVolumeClaim and image"),
    ("model.source", BOTH, "spec.model.source", "exactly one of persistentVolumeClaim and image"),
    (f"{CLAIM}.claimName", GONE, f"spec.{CLAIM}.claimName", "required"),
    (f"{CLAIM}.claimName", "Weights", f"spec.{CLAIM}.claimName", "match pattern"),
    (f"{CLAIM}.claimName", "w" * 254, f"spec.{CLAIM}.claimName", "at most 253"),
    (f"{CLAIM}.path", "/etc", f"spec.{CLAIM}.path", "match pattern"),
    (f"{CLAIM}.path", "a/../../b", f"spec.{CLAIM}.path", "match pattern"),
    (f"{CLAIM}.path", "..", f"spec.{CLAIM}.path", "match pattern"),
    (f"{CLAIM}.path", "a//b", f"spec.{CLAIM}.path", "match pattern"),
    (f"{CLAIM}.path", "a b", f"spec.{CLAIM}.path", "match pattern"),
    (f"{CLAIM}.path", "a\n", f"spec.{CLAIM}.path", "match pattern"),
    ("model.source", {"image": {"reference": "UPPER"}}, "spec.model.source.image.reference", "match pattern"),
    ("gpu.type", GONE, "spec.gpu.type", "required"),
    ("gpu.type", "A100 80GB", "spec.gpu.type", "match pattern"),
    ("gpu.count", 0, "spec.gpu.count", "greater than or equal to 1"),
    ("gpu.count", 17, "spec.gpu.count", "less than or equal to 16"),
    ("gpu.nodeSelector", {"-bad": "v"}, "spec.gpu.nodeSelector", "'-bad' is not a label key"),
    ("gpu.nodeSelector", {"/k": "v"}, "spec.gpu.nodeSelector", "'/k' is not a label key"),
    ("gpu.nodeSelector", {"k\n": "v"}, "spec.gpu.nodeSelector", r"'k\n' is not a label key"),
    ("gpu.nodeSelector", {"k": "v\n"}, "spec.gpu.nodeSelector", r"'v\n' is not a label value"),
    ("gpu.nodeSelector", {"k": "v" * 64}, "spec.gpu.nodeSelector", "is not a label value"),
    ("gpu.nodeSelector", {f"k{i}": "" for i in range(17)}, "spec.gpu.nodeSelector", "at most 16"),
    ("gpu.tolerations", [{"operator": "Exists", "value": "v"}], "spec.gpu.tolerations[0]", "value must be empty"),
    ("gpu.tolerations", [{"key": "k"}, {}], "spec.gpu.tolerations[1]", "operator must be Exists"),
    ("gpu.tolerations", [{"key": "k", "effect": "Never"}], "spec.gpu.tolerations[0].effect", "'NoSchedule'"),
    ("gpu.tolerations", [{"operator": "Exists"}] * 17, "spec.gpu.tolerations", "at most 16"),
    ("replicas", -1, "spec.replicas", "greater than or equal to 0"),
    ("replicas", 101, "spec.replicas", "less than or equal to 100"),
    ("network.clients", [PEER] * 33, "spec.network.clients", "at most 32"),
    ("network.clients", [{"namespace": "a"}], "spec.network.clients[0].podLabels", "required"),
    ("network.clients", [PEER | {"podLabels": {}}], "spec.network.clients[0].podLabels", "at least 1"),
    ("network.clients", [PEER | {"namespace": ""}], "spec.network.clients[0].namespace", "match pattern"),
    ("network.clients", [PEER | {"namespace": "*"}], "spec.network.clients[0].namespace", "match pattern"),
    (MONITORING, {"podLabels": {"a": "b"}}, "spec.network.monitoring.namespace", "required"),
    ("engine.name", "vllm", "spec.engine.name", "'tgi'"),
    ("engine.image", "", "spec.engine.image", "match pattern"),
    ("engine.image", IMAGE + "\n", "spec.engine.image", "match pattern"),
    ("engine.extraEnv", {"1X": ""}, "spec.engine.extraEnv", "'1X' is not the name"),
    ("engine.extraEnv", {"PORT\n": ""}, "spec.engine.extraEnv", "is not the name"),
    ("engine.extraEnv", {"HF_TOKEN": "secret"}, "spec.engine.extraEnv", "HF_TOKEN is set by the operator"),
    ("engine.extraEnv", {"X": "v" * 1025}, "spec.engine.extraEnv.X", "at most 1024"),
    ("engine.extraEnv", {f"X{i}": "" for i in range(33)}, "spec.engine.extraEnv", "at most 32"),
    ("shutdown.graceSeconds", 0, "spec.shutdown.graceSeconds", "greater than or equal to 1"),
    ("shutdown.graceSeconds", 601, "spec.shutdown.graceSeconds", "less than or equal to 600"),
]


@pytest.mark.parametrize(("field", "value", "path", "words"), REFUSED)
def test_refused_with_path_and_words(field: str, value: Any, path: str, words: str) -> None:
    error = refused(spec({field: value}))
    assert error.reason == INVALID
    assert error.message.startswith(f"{path}: ") or f"; {path}: " in error.message
    assert words in error.message
    assert "\n" not in error.message


def test_every_mistake_is_named_at_once() -> None:
    error = refused(spec({"replicas": -1, "gpu.count": 0, "model.concurrency": 0}))
    assert error.message.count("; ") == 2


def test_refusals_never_repeat_what_was_given() -> None:
    """An environment value may be a secret; it must not end up in a status."""
    assert "hunter2" not in refused(spec({"engine.extraEnv": {"X": "hunter2" * 200}})).message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"engine.image": "r.example/tgi:3.3.7"}, "engine.image"),
        ({"engine.image": "r.example/tgi@sha256:" + "0" * 63}, "engine.image"),
        ({"engine.image": "r.example/tgi@sha256:" + "0" * 65}, "engine.image"),
        ({"engine.image": "r.example/tgi@sha256:" + "F" * 64}, "engine.image"),
        ({"model.source": {"image": {"reference": "r.example/w:1"}}}, "model.source.image.reference"),
    ],
)
def test_unpinned_is_a_reason_of_its_own(changes: dict[str, Any], field: str) -> None:
    error = refused(spec(changes))
    assert error.reason == UNPINNED
    assert field in error.message
    assert isinstance(parse("ward", spec(changes | {"offline": False})), Spec)


def test_unpinned_and_invalid_together_are_invalid() -> None:
    assert refused(spec({"engine.image": "r:1", "replicas": -1})).reason == INVALID


@pytest.mark.parametrize("name", ["a", "ward-1", "a" * 63])
def test_names_that_can_be_a_service(name: str) -> None:
    assert isinstance(parse(name, spec()), Spec)


@pytest.mark.parametrize("name", ["", "1a", "-a", "a-", "A", "a.b", "a" * 64, "a\n", "ä"])
def test_names_that_cannot(name: str) -> None:
    error = refused(spec(), name)
    assert error.reason == INVALID
    assert error.message.startswith("metadata.name: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "model",
    "gpu",
    "replicas",
    "network",
    "offline",
    "engine",
    "shutdown",
    "model.source",
    "model.quantization",
    "gpu.tolerations",
    "gpu.nodeSelector",
    "network.clients",
    "engine.extraEnv",
    "engine.image",
]


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_json_is_answered(raw: Any) -> None:
    assert isinstance(assess("ward", raw, IMAGE), SpecError)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FIELDS), JSON)
def test_any_json_in_any_field_is_answered(field: str, value: Any) -> None:
    assert isinstance(assess("ward", spec({field: value}), IMAGE), SpecError | Accepted)


def sized(changes: dict[str, Any]) -> Demand:
    verdict = assess("ward", spec(changes), None)
    assert isinstance(verdict, Accepted), verdict
    return verdict.sized.demand


def test_a_shape_that_is_given_beats_the_catalog() -> None:
    changes = {"model.id": "ward/own-model", "model.shape": SHAPE, "model.contextTokens": 2_048}
    model = sized(changes).model
    assert (model.name, model.vocab_size, model.source) == ("ward/own-model", 32_017, "spec.model.shape")
    assert sized(changes | {"model.id": "meditron-7b"}).model.vocab_size == 32_017
    whole = {"biasParams": 7, "tiedEmbeddings": True, "storedBytesPerNumber": 4}
    model = sized(changes | {"model.shape": SHAPE | whole}).model
    assert (model.bias_params, model.tied_embeddings, model.stored_bytes_per_number) == (7, True, 4)


def test_an_unknown_model_without_a_shape_says_where_to_describe_it() -> None:
    verdict = assess("ward", spec({"model.id": "ward/own-model"}), None)
    assert isinstance(verdict, SpecError)
    assert verdict.reason == "UnknownModel"
    assert "describe any other in spec.model.shape" in verdict.message


@pytest.mark.parametrize(
    ("quantization", "given", "symmetric"),
    [("gptq", None, True), ("gptq", False, False), ("awq", None, False), ("awq", True, True)],
)
def test_a_packing_is_what_sizing_counts(quantization: str, given: bool | None, symmetric: bool) -> None:
    packing = {"bits": 8, "groupSize": 64, "actOrder": True} | ({} if given is None else {"symmetric": given})
    packed = sized({"model.quantization": quantization, "model.packing": packing}).packed
    assert packed == Packing(bits=8, group_size=64, act_order=True, symmetric=symmetric)


def test_packing_without_packed_weights_is_a_mistake() -> None:
    packing = {"bits": 4, "groupSize": 128}
    error = refused(spec({"model.quantization": "none", "model.packing": packing}))
    assert "packing is only for quantization gptq or awq" in error.message
