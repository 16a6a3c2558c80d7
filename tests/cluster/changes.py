"""Valid manifests with some fields changed, and the fields and values that more than one test changes."""

import copy
from collections.abc import Mapping
from typing import Any, Final

from tests.cluster.support import Manifest, deployment

GONE: Final = object()
"""In the place of a value: the field is taken out."""


Changes = Mapping[str, Any]
"""Dotted path of a field, and its new value."""

CLAIM: Final = "spec.model.source.persistentVolumeClaim"
CLIENT: Final = "spec.network.clients[0]"
ENV: Final = "spec.engine.extraEnv"
NODES: Final = "spec.gpu.nodeSelector"
SOURCE: Final = "spec.model.source"
TOLERATION: Final = "spec.gpu.tolerations[0]"
DIGEST: Final = "@sha256:" + "b" * 64

PVC: Final = {"persistentVolumeClaim": {"claimName": "weights"}}
OCI: Final = {"image": {"reference": "registry.example.com/weights" + DIGEST}}
PEER: Final = {"namespace": "ward", "podLabels": {"app": "notes"}}

SHAPE: Final = "spec.model.shape"
LLAMA_8B: Final = {
    "vocabSize": 128_256, "hiddenSize": 4_096, "intermediateSize": 14_336, "numHiddenLayers": 32,
    "numAttentionHeads": 32, "numKeyValueHeads": 8, "headDim": 128, "maxPositionEmbeddings": 131_072,
}  # fmt: skip
PACKING: Final = "spec.model.packing"
GPTQ: Final = {"bits": 4, "groupSize": 128}


def changed(name: str, namespace: str, changes: Changes) -> Manifest:
    """A valid deployment with some fields changed, added or taken out."""
    body = deployment(name, namespace)
    for path, value in changes.items():
        *parents, last = path.split(".")
        section = body
        for step in parents:
            section = section.setdefault(step, {})
        if value is GONE:
            del section[last]
        else:
            section[last] = copy.deepcopy(value)
    return body


def numbered(count: int) -> dict[str, str]:
    """So many labels."""
    return {f"k{number}": "v" for number in range(count)}
