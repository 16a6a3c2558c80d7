"""The table of bad manifests: what is changed in a valid one, the field that the refusal names, and its words."""

from typing import Any, Final

import pytest
from _pytest.mark import ParameterSet

from tests.cluster.changes import (
    CLAIM,
    CLIENT,
    DIGEST,
    ENV,
    GONE,
    GPTQ,
    LLAMA_8B,
    NODES,
    OCI,
    PACKING,
    PEER,
    PVC,
    SHAPE,
    SOURCE,
    TOLERATION,
    Changes,
    numbered,
)

NAME_RULE: Final = "becomes the name of a Service: at most 63 lower-case letters, digits and '-', the first a letter"
PINNED_RULE: Final = "must end in @sha256:<64 hex digits> while offline is true"
DTYPE_RULE: Final = "can't be set with this quantization: text-generation-inference refuses to start"
ONE_SOURCE_RULE: Final = "exactly one of persistentVolumeClaim and image is needed"
LABEL_RULE: Final = "every key must be a label key"
EXISTS_RULE: Final = "must be empty when operator is Exists"
EMPTY_KEY_RULE: Final = "must be Exists when key is empty"
ENV_NAME_RULE: Final = "every key must be the name of an environment variable"
RESERVED_RULE: Final = "holds a variable that the operator sets from the rest of the spec, or that must not be set"
KIND_RULE: Final = "can't change its kind while replicas > 0: set replicas to 0, change it, then scale up again"


def _row(id_: str, changes: Changes, field: str, words: str) -> ParameterSet:
    return pytest.param(changes, field, words, id=id_)


def _one(id_: str, path: str, value: Any, words: str, field: str = "") -> ParameterSet:
    """A row with one change, refused for that very field."""
    return _row(id_, {path: value}, field or path, words)


def _client(id_: str, client: Any, field: str, words: str) -> ParameterSet:
    return _one(id_, "spec.network.clients", [client], words, CLIENT + field)


def _toleration(id_: str, toleration: Any, field: str, words: str) -> ParameterSet:
    return _one(id_, "spec.gpu.tolerations", [toleration], words, TOLERATION + field)


_NAMES = [
    _one("name-with-dots", "metadata.name", "notes.ward", NAME_RULE),
    _one("name-starts-with-a-digit", "metadata.name", "7b", NAME_RULE),
    _one("name-too-long", "metadata.name", "n" * 64, NAME_RULE),
    _one("name-in-upper-case", "metadata.name", "Notes", "a lowercase RFC 1123 subdomain"),
    _one("name-with-underscore", "metadata.name", "no_tes", "a lowercase RFC 1123 subdomain"),
    _row("name-missing", {"metadata.name": GONE}, "metadata.name", "name or generateName is required"),
]

_MISSING = [
    _one("no-spec", "spec", GONE, "Required value"),
    _row("empty-spec", {"spec": {}}, "spec.model", "Required value"),
    _one("no-model", "spec.model", GONE, "Required value"),
    _one("no-gpu", "spec.gpu", GONE, "Required value"),
    _one("no-model-id", "spec.model.id", GONE, "Required value"),
    _one("no-source", SOURCE, GONE, "Required value"),
    _one("no-gpu-type", "spec.gpu.type", GONE, "Required value"),
    _one("no-claim-name", f"{CLAIM}.claimName", GONE, "Required value"),
    _row("no-image-reference", {SOURCE: {"image": {}}}, f"{SOURCE}.image.reference", "Required value"),
    _client("client-without-namespace", {"podLabels": {"app": "notes"}}, ".namespace", "Required value"),
    _client("client-without-labels", {"namespace": "ward"}, ".podLabels", "Required value"),
    _row(
        "monitoring-without-labels",
        {"spec.network.monitoring": {"namespace": "ward"}},
        "spec.network.monitoring.podLabels",
        "Required value",
    ),
]

_TYPES = [
    _one("spec-is-text", "spec", "meditron-7b", 'must be of type object: "string"'),
    _one("spec-is-a-list", "spec", [], 'must be of type object: "array"'),
    _one("model-is-text", "spec.model", "meditron-7b", 'must be of type object: "string"'),
    _one("model-is-null", "spec.model", None, "Required value"),
    _one("model-id-is-a-number", "spec.model.id", 7, 'must be of type string: "integer"'),
    _one("context-is-text", "spec.model.contextTokens", "2048", 'must be of type integer: "string"'),
    _one("context-is-a-fraction", "spec.model.contextTokens", 2048.5, 'must be of type int32: "float64"'),
    _one("count-is-text", "spec.gpu.count", "2", 'must be of type integer: "string"'),
    _one("replicas-is-a-fraction", "spec.replicas", 1.5, 'must be of type int32: "float64"'),
    _one("offline-is-text", "spec.offline", "yes", 'must be of type boolean: "string"'),
    _one("non-root-is-text", "spec.engine.runAsNonRoot", "false", 'must be of type boolean: "string"'),
    _one("clients-is-an-object", "spec.network.clients", {}, 'must be of type array: "object"'),
    _one("client-is-text", "spec.network.clients", ["ward"], 'must be of type object: "string"', CLIENT),
    _one("environment-is-a-list", ENV, ["NCCL_DEBUG=INFO"], 'must be of type object: "array"'),
    _one("environment-holds-a-number", ENV, {"OMP_NUM_THREADS": 4}, "must be of type string", f"{ENV}.OMP_NUM_THREADS"),
    _one("label-is-a-bool", NODES, {"gpu": True}, "must be of type string", f"{NODES}.gpu"),
]

HEADS_RULE: Final = "must divide numAttentionHeads"
PACKED_RULE: Final = "only with quantization gptq or awq, whose weights were packed before"
GROUP_RULE: Final = "must not be 0; -1 is one group a column"


def _shape(id_: str, field: str, value: Any, words: str) -> ParameterSet:
    return _row(id_, {SHAPE: LLAMA_8B | {field: value}}, f"{SHAPE}.{field}", words)


def _packed(id_: str, field: str, value: Any, words: str) -> ParameterSet:
    changes = {"spec.model.quantization": "gptq", PACKING: GPTQ | {field: value}}
    return _row(id_, changes, f"{PACKING}.{field}", words)


_FACTS = [
    *(
        _row(
            f"shape-without-{field}",
            {SHAPE: {key: value for key, value in LLAMA_8B.items() if key != field}},
            f"{SHAPE}.{field}",
            "Required value",
        )
        for field in LLAMA_8B
    ),
    *(
        _shape(f"{field}-below", field, 0, "greater than or equal to 1")
        for field in LLAMA_8B
        if field != "maxPositionEmbeddings"
    ),
    *(
        _shape(f"{field}-above", field, 16_777_217, "less than or equal to 16777216")
        for field in ("vocabSize", "hiddenSize", "intermediateSize")
    ),
    *(
        _shape(f"{field}-above", field, 65_537, "less than or equal to 65536")
        for field in ("numHiddenLayers", "numAttentionHeads", "numKeyValueHeads", "headDim")
    ),
    _shape("positions-below", "maxPositionEmbeddings", 1, "greater than or equal to 2"),
    _shape("positions-above", "maxPositionEmbeddings", 2**31, "less than or equal to 2147483647"),
    _shape("biases-below", "biasParams", -1, "greater than or equal to 0"),
    _shape("biases-above", "biasParams", 2**41, "less than or equal to 1099511627776"),
    _shape("stored-in-8-bit", "storedBytesPerNumber", 1, '"4"'),
    _shape("heads-that-dont-divide", "numKeyValueHeads", 5, HEADS_RULE),
    _shape("shape-in-text", "vocabSize", "32000", "must be of type integer"),
    *(
        _row(
            f"packing-without-{field}",
            {"spec.model.quantization": "gptq", PACKING: {key: value for key, value in GPTQ.items() if key != field}},
            f"{PACKING}.{field}",
            "Required value",
        )
        for field in GPTQ
    ),
    _packed("bits-below", "bits", 0, "greater than or equal to 1"),
    _packed("bits-above", "bits", 17, "less than or equal to 16"),
    _packed("group-below", "groupSize", -2, "greater than or equal to -1"),
    _packed("group-above", "groupSize", 65_537, "less than or equal to 65536"),
    _packed("group-of-none", "groupSize", 0, GROUP_RULE),
    _row("packing-of-16-bit", {PACKING: GPTQ}, PACKING, PACKED_RULE),
]

_RANGES = [
    _one("context-below", "spec.model.contextTokens", 63, "greater than or equal to 64"),
    _one("context-above", "spec.model.contextTokens", 131_073, "less than or equal to 131072"),
    _one("concurrency-below", "spec.model.concurrency", 0, "greater than or equal to 1"),
    _one("concurrency-above", "spec.model.concurrency", 1_025, "less than or equal to 1024"),
    _one("count-below", "spec.gpu.count", 0, "greater than or equal to 1"),
    _one("count-negative", "spec.gpu.count", -4, "greater than or equal to 1"),
    _one("count-above", "spec.gpu.count", 17, "less than or equal to 16"),
    _one("replicas-below", "spec.replicas", -1, "greater than or equal to 0"),
    _one("replicas-above", "spec.replicas", 101, "less than or equal to 100"),
    _one("replicas-of-33-bits", "spec.replicas", 2**32 + 1, "less than or equal to 100"),
    _one("count-of-63-bits", "spec.gpu.count", 2**62, "less than or equal to 16"),
    _one("grace-below", "spec.shutdown.graceSeconds", 0, "greater than or equal to 1"),
    _one("grace-above", "spec.shutdown.graceSeconds", 601, "less than or equal to 600"),
]

_WORDS = [
    _one("quantization-typo", "spec.model.quantization", "gtpq", '"none", "gptq", "awq"'),
    _one("quantization-in-upper-case", "spec.model.quantization", "GPTQ", '"none", "gptq", "awq"'),
    _one("quantization-of-another-engine", "spec.model.quantization", "int4", '"none", "gptq", "awq"'),
    _one("dtype-of-the-hub", "spec.model.dtype", "fp16", '"float16", "bfloat16"'),
    _one("dtype-float32", "spec.model.dtype", "float32", '"float16", "bfloat16"'),
    _one("kv-cache-typo", "spec.model.kvCacheDtype", "fp8", '"auto", "fp8_e4m3fn", "fp8_e5m2"'),
    _one("engine-unknown", "spec.engine.name", "vllm", '"tgi"'),
    _one("rollout-on-failure-unknown", "spec.rollout.onFailure", "retry", '"rollback"'),
    _one("engine-in-upper-case", "spec.engine.name", "TGI", '"tgi"'),
    _toleration("effect-in-lower-case", {"key": "k", "effect": "noschedule"}, ".effect", '"NoSchedule"'),
    _toleration("operator-typo", {"key": "k", "operator": "Exist"}, ".operator", '"Exists", "Equal"'),
]

_PATTERNS = [
    _one("model-id-empty", "spec.model.id", "", "at least 1 chars long"),
    _one("model-id-with-two-slashes", "spec.model.id", "hub/epfl-llm/meditron-7b", "should match"),
    _one("model-id-is-a-path", "spec.model.id", "../meditron-7b", "should match"),
    _one("model-id-too-long", "spec.model.id", "m" * 129, "may not be more than 128"),
    _one("gpu-with-spaces", "spec.gpu.type", "A100 80GB", "should match"),
    _one("gpu-empty", "spec.gpu.type", "", "at least 1 chars long"),
    _one("gpu-too-long", "spec.gpu.type", "L" * 64, "may not be more than 63"),
    _one("claim-in-upper-case", f"{CLAIM}.claimName", "Weights", "should match"),
    _one("claim-empty", f"{CLAIM}.claimName", "", "at least 1 chars long"),
    _one("claim-too-long", f"{CLAIM}.claimName", "w" * 254, "may not be more than 253"),
    _one("path-climbs-out", f"{CLAIM}.path", "../other-tenant", "should match"),
    _one("path-climbs-out-in-the-middle", f"{CLAIM}.path", "models/../../etc", "should match"),
    _one("path-absolute", f"{CLAIM}.path", "/etc", "should match"),
    _one("path-with-an-empty-step", f"{CLAIM}.path", "models//7b", "should match"),
    _one("path-with-a-line-break", f"{CLAIM}.path", "models\n", "should match"),
    _one("path-too-long", f"{CLAIM}.path", "p" * 513, "may not be more than 512"),
    _row(
        "image-path-climbs-out",
        {SOURCE: {"image": {**OCI["image"], "path": "a/../.."}}},
        f"{SOURCE}.image.path",
        "should match",
    ),
    _row(
        "weights-image-with-a-scheme",
        {SOURCE: {"image": {"reference": "https//r.example/weights" + DIGEST + " "}}},
        f"{SOURCE}.image.reference",
        "should match",
    ),
    _row(
        "weights-image-empty",
        {SOURCE: {"image": {"reference": ""}}},
        f"{SOURCE}.image.reference",
        "at least 1 chars long",
    ),
    _row(
        "weights-image-too-long",
        {SOURCE: {"image": {"reference": "r" * 442 + DIGEST}}},
        f"{SOURCE}.image.reference",
        "may not be more than 512",
    ),
    _one("engine-image-with-a-space", "spec.engine.image", "r.example/tgi " + DIGEST, "should match"),
    _one("engine-image-empty", "spec.engine.image", "", "at least 1 chars long"),
    _one("engine-image-too-long", "spec.engine.image", "r" * 442 + DIGEST, "may not be more than 512"),
    _client("client-namespace-wildcard", {**PEER, "namespace": "*"}, ".namespace", "should match"),
    _client("client-namespace-empty", {**PEER, "namespace": ""}, ".namespace", "at least 1 chars long"),
    _client("client-namespace-too-long", {**PEER, "namespace": "n" * 64}, ".namespace", "may not be more than 63"),
    _client("client-label-value-bad", {**PEER, "podLabels": {"app": "a b"}}, ".podLabels.app", "should match"),
    _client("client-label-value-too-long", {**PEER, "podLabels": {"app": "a" * 64}}, ".podLabels.app", "more than 63"),
    _one("node-label-value-bad", NODES, {"zone": "-a"}, "should match", f"{NODES}.zone"),
    _toleration("toleration-key-bad", {"key": "no key!", "operator": "Exists"}, ".key", "should match"),
    _toleration("toleration-key-too-long", {"key": "k" * 318}, ".key", "may not be more than 317"),
    _toleration("toleration-value-bad", {"key": "k", "value": "a,b"}, ".value", "should match"),
    _toleration("toleration-value-too-long", {"key": "k", "value": "v" * 64}, ".value", "may not be more than 63"),
]

_SIZES = [
    _client("client-with-no-label", {**PEER, "podLabels": {}}, ".podLabels", "at least 1 properties"),
    _client("client-with-17-labels", {**PEER, "podLabels": numbered(17)}, ".podLabels", "must have at most 16 items"),
    _one("33-clients", "spec.network.clients", [PEER] * 33, "must have at most 32 items"),
    _one("17-tolerations", "spec.gpu.tolerations", [{"operator": "Exists"}] * 17, "must have at most 16 items"),
    _one("17-node-labels", NODES, numbered(17), "must have at most 16 items"),
    _one("33-variables", ENV, numbered(33), "must have at most 32 items"),
    _one("variable-too-long", ENV, {"NCCL_DEBUG": "x" * 1025}, "may not be more than 1024", f"{ENV}.NCCL_DEBUG"),
]

_UNKNOWN = [
    _one("field-of-the-spec-misspelt", "spec.replica", 2, "unknown field"),
    _one("field-in-another-case", "spec.model.contexttokens", 2048, "unknown field"),
    _one("field-in-the-wrong-place", "spec.quantization", "gptq", "unknown field"),
    _one("raw-gpu-resources", "spec.resources", {"limits": {"nvidia.com/gpu": 1}}, "unknown field"),
    _client("client-by-selector", {**PEER, "podSelector": {}}, ".podSelector", "unknown field"),
    _one("engine-arguments", "spec.engine.args", ["--trust-remote-code"], "unknown field"),
    _one("host-path-as-source", f"{SOURCE}.hostPath", {"path": "/"}, "unknown field"),
]

_RULES = [
    _one("both-sources", SOURCE, {**PVC, **OCI}, ONE_SOURCE_RULE),
    _one("neither-source", SOURCE, {}, ONE_SOURCE_RULE),
    *(
        _row(
            f"dtype-with-{quantization}",
            {"spec.model.quantization": quantization, "spec.model.dtype": "float16"},
            "spec.model.dtype",
            DTYPE_RULE,
        )
        for quantization in ("gptq", "awq", "eetq", "fp8")
    ),
    _one("engine-image-by-tag", "spec.engine.image", "registry.example.com/tgi:3.3.7", PINNED_RULE),
    _one("engine-image-latest", "spec.engine.image", "registry.example.com/tgi:latest", PINNED_RULE),
    _one("engine-image-short-digest", "spec.engine.image", "r.example/tgi" + DIGEST[:-1], PINNED_RULE),
    _one("engine-image-digest-in-upper-case", "spec.engine.image", "r.example/tgi@sha256:" + "A" * 64, PINNED_RULE),
    _row(
        "weights-image-by-tag",
        {SOURCE: {"image": {"reference": "r.example/weights:1"}}},
        f"{SOURCE}.image.reference",
        PINNED_RULE,
    ),
    _one("node-label-key-empty", NODES, {"": "v"}, LABEL_RULE),
    _one("node-label-key-with-two-slashes", NODES, {"a/b/c": "v"}, LABEL_RULE),
    _one("node-label-key-with-an-empty-dns-label", NODES, {"a..b/c": "v"}, LABEL_RULE),
    _one("node-label-key-name-too-long", NODES, {"k" * 64: "v"}, LABEL_RULE),
    _one("node-label-key-prefix-too-long", NODES, {"p" * 254 + "/k": "v"}, LABEL_RULE),
    _client("client-label-key-bad", {**PEER, "podLabels": {"app!": "v"}}, ".podLabels", LABEL_RULE),
    _row(
        "monitoring-label-key-bad",
        {"spec.network.monitoring": {**PEER, "podLabels": {"-app": "v"}}},
        "spec.network.monitoring.podLabels",
        LABEL_RULE,
    ),
    _toleration("exists-with-a-value", {"key": "k", "operator": "Exists", "value": "v"}, ".value", EXISTS_RULE),
    _toleration("every-key-but-equal", {"value": "v"}, ".operator", EMPTY_KEY_RULE),
    _toleration("toleration-empty", {}, ".operator", EMPTY_KEY_RULE),
    _one("variable-name-with-a-dash", ENV, {"NCCL-DEBUG": "INFO"}, ENV_NAME_RULE),
    _one("variable-name-empty", ENV, {"": "INFO"}, ENV_NAME_RULE),
    _one("variable-name-starts-with-a-digit", ENV, {"1ST": "INFO"}, ENV_NAME_RULE),
    _one("variable-of-the-operator", ENV, {"MAX_TOTAL_TOKENS": "4096"}, RESERVED_RULE),
    _one("variable-that-shards", ENV, {"NUM_SHARD": "8"}, RESERVED_RULE),
    _one("token-of-the-hub", ENV, {"HF_TOKEN": "hf_x"}, RESERVED_RULE),
    _one("token-of-the-hub-old-name", ENV, {"HUGGING_FACE_HUB_TOKEN": "hf_x"}, RESERVED_RULE),
    _one("api-key", ENV, {"API_KEY": "secret"}, RESERVED_RULE),
    _one("remote-code", ENV, {"NCCL_DEBUG": "INFO", "TRUST_REMOTE_CODE": "true"}, RESERVED_RULE),
]

REFUSED: Final = [*_NAMES, *_MISSING, *_TYPES, *_FACTS, *_RANGES, *_WORDS, *_PATTERNS, *_SIZES, *_UNKNOWN, *_RULES]
