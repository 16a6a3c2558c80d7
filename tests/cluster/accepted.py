"""The table of good manifests: the nearest neighbours of each rule and limit of refused.py, on the right side."""

from typing import Final

import pytest
from _pytest.mark import ParameterSet

from tests.cluster.changes import (
    CLAIM,
    DIGEST,
    ENV,
    GPTQ,
    LLAMA_8B,
    NODES,
    OCI,
    PACKING,
    PEER,
    SHAPE,
    SOURCE,
    Changes,
    numbered,
)
from tests.cluster.support import IMAGE


def _good(id_: str, changes: Changes) -> ParameterSet:
    return pytest.param(changes, id=id_)


ACCEPTED: Final = [
    _good("name-of-63", {"metadata.name": "n" * 63}),
    _good("name-of-one-letter", {"metadata.name": "n"}),
    _good("only-an-image", {SOURCE: OCI}),
    *(
        _good(f"dtype-with-{quantization}", {"spec.model.quantization": quantization, "spec.model.dtype": "float16"})
        for quantization in ("none", "bitsandbytes", "bitsandbytes-nf4")
    ),
    _good("gptq-without-dtype", {"spec.model.quantization": "gptq"}),
    _good("shape", {SHAPE: LLAMA_8B, "spec.model.id": "ward/own-model"}),
    _good("shape-with-everything", {SHAPE: LLAMA_8B | {
        "biasParams": 2**40, "tiedEmbeddings": True, "storedBytesPerNumber": 4, "maxPositionEmbeddings": 2**31 - 1,
    }}),
    _good("one-group-a-column", {"spec.model.quantization": "gptq", PACKING: GPTQ | {"groupSize": -1}}),
    _good("packing-of-awq", {"spec.model.quantization": "awq", PACKING: GPTQ | {"symmetric": False, "actOrder": True}}),
    _good("engine-image-tag-and-digest", {"spec.engine.image": "r.example:5000/tgi:3.3.7" + DIGEST}),
    _good("engine-image-by-tag-online", {"spec.offline": False, "spec.engine.image": "r.example/tgi:3.3.7"}),
    _good("weights-by-tag-online", {"spec.offline": False, SOURCE: {"image": {"reference": "r.example/w:1"}}}),
    _good("no-engine-image", {"spec.engine": {}}),
    _good("empty-sections", {"spec.network": {}, "spec.shutdown": {}, "spec.engine": {"image": IMAGE}}),
    _good("rollout", {"spec.rollout": {"onFailure": "rollback", "allowOutage": True}}),
    _good("null-sections", {"spec.network": None, "spec.shutdown": None}),
    _good("null-values", {"spec.replicas": None, "spec.gpu.count": None, "spec.model.dtype": None}),
    _good("longest-label-key", {NODES: {"p" * 253 + "/" + "k" * 63: "v" * 63}}),
    _good("dns-label-key", {NODES: {"topology.kubernetes.io/zone": ""}}),
    _good("exists-for-every-key", {"spec.gpu.tolerations": [{"operator": "Exists"}]}),
    _good("equal-with-key", {"spec.gpu.tolerations": [{"key": "example.com/gpu", "value": "v"}]}),
    _good("exists-with-key", {"spec.gpu.tolerations": [{"key": "k", "operator": "Exists", "effect": ""}]}),
    _good("variables", {ENV: {"NCCL_DEBUG": "INFO", "_x": "", "HF_TOKENS": "1"}}),
    _good("largest-numbers", {
        "spec.model.contextTokens": 131_072, "spec.model.concurrency": 1_024, "spec.gpu.count": 16,
        "spec.replicas": 100, "spec.shutdown.graceSeconds": 600,
    }),
    _good("smallest-numbers", {
        "spec.model.contextTokens": 64, "spec.model.concurrency": 1, "spec.gpu.count": 1,
        "spec.replicas": 0, "spec.shutdown.graceSeconds": 1,
    }),
    _good("most-of-everything", {
        "spec.network.clients": [{**PEER, "podLabels": numbered(16)}] * 32,
        "spec.gpu.tolerations": [{"operator": "Exists"}] * 16,
        NODES: numbered(16),
        ENV: numbered(32),
    }),
    _good("path-with-dots-in-names", {f"{CLAIM}.path": "models/v1.2/a..b"}),
]  # fmt: skip
