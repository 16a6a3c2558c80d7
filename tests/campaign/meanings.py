"""What a schema can't know: which values mean something, and which fields make sense together only."""

from collections.abc import Mapping
from typing import Any, Final

from tests.cluster.support import IMAGE

_OTHER_IMAGE: Final = IMAGE.replace("a" * 64, "b" * 64)
_WEIGHTS_IMAGE: Final = "registry.example.com/weights@sha256:" + "c" * 64
_SHAPE: Final = {
    "vocabSize": 32_017, "hiddenSize": 4_096, "intermediateSize": 11_008, "numHiddenLayers": 32,
    "numAttentionHeads": 32, "numKeyValueHeads": 32, "headDim": 128, "maxPositionEmbeddings": 2_048,
}  # fmt: skip

KEYS: Final = ("disk", "example.com/pool", "topology.kubernetes.io/zone", "NCCL_DEBUG")
"""Of maps: label keys, of which the last can be the name of a variable too."""

NARROWED: Final[Mapping[str, Mapping[str, Any]]] = {
    # A hundred pods at once would try the simulated kubelet and the scheduler, and hold everybody's GPUs.
    "replicas": {"maximum": 4},
    # Further words than a file has would fill a report, and nothing else.
    "engine.extraEnv": {"additionalProperties": {"type": "string", "maxLength": 64}},
}
"""By path: what is tried of a field instead of all that its schema allows."""

MEANINGS: Final[Mapping[str, tuple[Any, ...]]] = {
    "model.id": ("meditron-7b", "epfl-llm/meditron-7b", "meditron3-8b", "meditron-70b", "ward/unheard-of"),
    "model.contextTokens": (64, 512, 1024, 2048, 4096, 131072),
    "model.concurrency": (1, 2, 4, 8, 1024),
    "model.source": (
        {"persistentVolumeClaim": {"claimName": "weights", "path": "gptq/final"}},
        {"persistentVolumeClaim": {"claimName": "weights"}},
        {"persistentVolumeClaim": {"claimName": "elsewhere"}},
        {"image": {"reference": _WEIGHTS_IMAGE}},
        {"persistentVolumeClaim": {"claimName": "weights"}, "image": {"reference": _WEIGHTS_IMAGE}},
    ),
    "model.shape": (_SHAPE,),
    "gpu.type": ("L4", "A100-80GB", "RTX-4090", "auto", "H100-80GB", "Abacus"),
    "gpu.count": (1, 2, 4, 8, 16),
    "gpu.nodeSelector": ({}, {"kubernetes.io/os": "linux"}, {"disk": "none-has-it"}),
    "engine.image": (IMAGE, _OTHER_IMAGE, "registry.example.com/tgi:latest"),
    "engine.extraEnv": ({}, {"NCCL_DEBUG": "INFO"}, {"SIMULATED_FAULT": "crash"}, {"SIMULATED_FAULT": "image"}),
    "network.clients": ([], [{"namespace": "ward", "podLabels": {"app": "notes"}}]),
}
"""By path: values that lead somewhere: to nodes that are there and not there, to models that fit and don't, to an
engine that crashes. They are tried beside those that the schema tells."""

TOGETHER: Final[tuple[Mapping[str, Any], ...]] = (
    {"model.id": "meditron-70b", "model.quantization": "gptq", "gpu.type": "A100-80GB"},
    {"model.quantization": "gptq", "model.packing": {"bits": 4, "groupSize": 128, "actOrder": True}},
    {"model.quantization": "none", "model.dtype": "float16"},
    {"model.quantization": "fp8", "gpu.type": "RTX-4090", "model.kvCacheDtype": "fp8_e4m3fn"},
    {"offline": False, "engine.image": "registry.example.com/tgi:3.3.7"},
    {"replicas": 2, "rollout.allowOutage": False, "engine.image": _OTHER_IMAGE},
    {"rollout.onFailure": "rollback", "engine.extraEnv": {"SIMULATED_FAULT": "crash"}},
    {"gpu.type": "auto", "gpu.count": 1},
    {"replicas": 0},
)
"""By path: changes of several fields that belong together."""
