"""The spec of a MeditronDeployment, parsed once.

Every rule of the CRD stands here a second time, because an object may have been stored before its rule
existed: past this module nothing is a raw dictionary.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from meditron_operator import names
from meditron_operator.core.catalog.models import ModelShape, find_model
from meditron_operator.core.catalog.quantization import FACTS, Packing, Quantization
from meditron_operator.core.engines.environment import RESERVED_ENVIRONMENT
from meditron_operator.core.sizing import Dtype, KvCacheDtype

# Used with fullmatch where they are Python's: `$` alone lets a line break at the end pass, unlike the server's.
DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
SERVICE_NAME: Final = re.compile(r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")
LABEL_KEY: Final = re.compile(
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"  # a DNS name of at most 253 characters
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
LABEL_KEY_PREFIX: Final = 253
LABEL_VALUE: Final = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
ENVIRONMENT_NAME: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")

IMAGE_REFERENCE: Final = r"^[a-z0-9]([a-zA-Z0-9._:/@-]*[a-zA-Z0-9])?$"
MODEL_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"
# Relative, no empty or dot-only step: the engine must not read outside the claim.
RELATIVE_PATH: Final = r"^$|^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or key.find("/") > LABEL_KEY_PREFIX:
            raise ValueError(f"{key!r} is not a label key")
        if not LABEL_VALUE.fullmatch(value):
            raise ValueError(f"{value!r} is not a label value")
    return labels


Labels = Annotated[dict[str, str], AfterValidator(_labels)]


class _Frozen(BaseModel):
    """Camel-case aliases as in the CRD; unknown fields are the API server's to prune."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, strict=False)


class PersistentVolumeClaim(_Frozen):
    claim_name: str = Field(pattern=DNS_SUBDOMAIN, max_length=253)
    path: str = Field(default="", pattern=RELATIVE_PATH, max_length=512)


class ImageVolume(_Frozen):
    reference: str = Field(pattern=IMAGE_REFERENCE, max_length=512)
    path: str = Field(default="", pattern=RELATIVE_PATH, max_length=512)


class Source(_Frozen):
    """Where the weights come from: exactly one of the two."""

    persistent_volume_claim: PersistentVolumeClaim | None = None
    image: ImageVolume | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.persistent_volume_claim is None) == (self.image is None):
            raise ValueError("exactly one of persistentVolumeClaim and image is needed")
        return self


_Width = Annotated[int, Field(ge=1, le=2**24)]
_Number = Annotated[int, Field(ge=1, le=65_536)]


class Shape(_Frozen):
    """What the checkpoint's own config.json says."""

    vocab_size: _Width
    hidden_size: _Width
    intermediate_size: _Width
    num_hidden_layers: _Number
    num_attention_heads: _Number
    num_key_value_heads: _Number
    head_dim: _Number
    max_position_embeddings: int = Field(ge=2, le=2**31 - 1)
    bias_params: int = Field(default=0, ge=0, le=2**40)
    tied_embeddings: bool = False
    stored_bytes_per_number: Literal[2, 4] = 2

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("numKeyValueHeads must divide numAttentionHeads")
        return self


class ModelPacking(_Frozen):
    """`quantization_config` of a gptq or awq checkpoint; group size -1 is one group a column."""

    bits: int = Field(ge=1, le=16)
    group_size: int = Field(ge=-1, le=65_536)
    act_order: bool = False
    symmetric: bool | None = None

    @model_validator(mode="after")
    def _is_a_group(self) -> Self:
        if self.group_size == 0:
            raise ValueError("groupSize must not be 0; -1 is one group a column")
        return self


class Model(_Frozen):
    id: str = Field(pattern=MODEL_ID, max_length=128)
    quantization: Quantization = Quantization.NONE
    dtype: Dtype | None = None
    shape: Shape | None = None
    packing: ModelPacking | None = None
    context_tokens: int = Field(default=2048, ge=64, le=131072)
    concurrency: int = Field(default=1, ge=1, le=1024)
    kv_cache_dtype: KvCacheDtype = KvCacheDtype.AUTO
    source: Source

    @model_validator(mode="after")
    def _dtype_is_legal(self) -> Self:
        if self.dtype is not None and not FACTS[self.quantization].dtype_allowed:
            raise ValueError(f"dtype can't be set with quantization {self.quantization}: TGI refuses to start")
        return self

    @model_validator(mode="after")
    def _packing_has_something_to_describe(self) -> Self:
        if self.packing is not None and not FACTS[self.quantization].pre_quantized:
            raise ValueError("packing is only for quantization gptq or awq, whose weights were packed before")
        return self

    @property
    def facts(self) -> ModelShape | None:
        """The shape that is given here, or that the catalog knows; None: neither."""
        if self.shape is None:
            return find_model(self.id)
        return ModelShape(name=self.id, source="spec.model.shape", **self.shape.model_dump())

    @property
    def packed(self) -> Packing | None:
        """The packing that is given here; None: the usual one, or nothing is packed."""
        usual = FACTS[self.quantization].packing
        if self.packing is None or usual is None:
            return None
        return Packing(
            bits=self.packing.bits,
            group_size=None if self.packing.group_size == -1 else self.packing.group_size,
            act_order=self.packing.act_order,
            symmetric=usual.symmetric if self.packing.symmetric is None else self.packing.symmetric,
        )


class Toleration(_Frozen):
    key: str = Field(default="", pattern=f"^$|{LABEL_KEY.pattern}", max_length=317)
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str = Field(default="", pattern=LABEL_VALUE.pattern, max_length=63)
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""

    @model_validator(mode="after")
    def _legal(self) -> Self:
        if self.operator == "Exists" and self.value:
            raise ValueError("value must be empty when operator is Exists")
        if not self.key and self.operator != "Exists":
            raise ValueError("operator must be Exists when key is empty")
        return self


AUTO_GPU: Final = "auto"
"""In the place of a card's name: the operator chooses among those of the cluster."""


class Gpu(_Frozen):
    type: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$", max_length=63)
    count: int | None = Field(default=None, ge=1, le=16)
    node_selector: Labels = Field(default={}, max_length=16)
    tolerations: tuple[Toleration, ...] = Field(default=(), max_length=16)
    allow_unproven: bool = False


class Peer(_Frozen):
    """Pods that may connect: in this namespace *and* with all of these labels."""

    namespace: str = Field(pattern=DNS_LABEL, max_length=63)
    pod_labels: Labels = Field(min_length=1, max_length=16)


class Network(_Frozen):
    clients: tuple[Peer, ...] = Field(default=(), max_length=32)
    monitoring: Peer | None = None


class Engine(_Frozen):
    name: Literal["tgi"] = "tgi"
    image: str | None = Field(default=None, pattern=IMAGE_REFERENCE, max_length=512)
    run_as_non_root: bool = True
    extra_env: dict[str, Annotated[str, Field(max_length=1024)]] = Field(default={}, max_length=32)

    @field_validator("extra_env")
    @classmethod
    def _names_are_free(cls, extra_env: dict[str, str]) -> dict[str, str]:
        for name in extra_env:
            if not ENVIRONMENT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of an environment variable")
            if name in RESERVED_ENVIRONMENT:
                raise ValueError(f"{name} is set by the operator from the rest of the spec, or must not be set")
        return extra_env


class Shutdown(_Frozen):
    grace_seconds: int = Field(default=30, ge=1, le=600)


class Rollout(_Frozen):
    on_failure: Literal["hold", "rollback"] = "hold"
    allow_outage: bool = False


class Spec(_Frozen):
    """What a person asks for; see crds/ for the meaning of every field."""

    model: Model
    gpu: Gpu
    replicas: int = Field(default=1, ge=0, le=100)
    network: Network = Network()
    offline: bool = True
    engine: Engine = Engine()
    shutdown: Shutdown = Shutdown()
    rollout: Rollout = Rollout()

    @model_validator(mode="after")
    def _pinned_when_offline(self) -> Self:
        if not self.offline:
            return self
        _require_digest("engine.image", self.engine.image)
        if self.model.source.image is not None:
            _require_digest("model.source.image.reference", self.model.source.image.reference)
        return self


def _require_digest(field: str, reference: str | None) -> None:
    if reference is not None and not names.DIGEST.search(reference):
        raise PydanticCustomError(
            UNPINNED, "must end in @sha256:<64 hex digits> while offline is true", {"field": field}
        )


UNPINNED: Final = "UnpinnedSource"
INVALID: Final = "InvalidSpec"


@dataclass(frozen=True, slots=True)
class SpecError:
    """Why a spec can't be carried out: a reason for the condition and one line for the reader."""

    reason: str
    message: str


def parse(name: str, raw: Mapping[str, Any]) -> Spec | SpecError:
    """Parse the raw spec of the deployment `name`; never raises for a user's mistake."""
    if not SERVICE_NAME.fullmatch(name):
        return SpecError(INVALID, f"metadata.name: {name!r} must be a DNS label that starts with a letter")
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        reason = UNPINNED if all(problem["type"] == UNPINNED for problem in problems) else INVALID
        return SpecError(reason, "; ".join(map(_line, problems)))


def _line(problem: ErrorDetails) -> str:
    path = f"spec.{problem['ctx']['field']}" if problem["type"] == UNPINNED else "spec"
    for step in problem["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return f"{path}: {problem['msg'].removeprefix('Value error, ')}"
