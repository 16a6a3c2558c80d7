"""From a raw spec to something that can be deployed, or to the reason why it can't."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.catalog.models import MODELS
from meditron_operator.core.engines.base import Sized
from meditron_operator.core.sizing import Demand, DoesNotFit, plan
from meditron_operator.core.spec import INVALID, Spec, SpecError, parse

UNKNOWN_MODEL: Final = "UnknownModel"
UNKNOWN_GPU: Final = "UnknownGPU"
DOES_NOT_FIT: Final = "DoesNotFit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A spec that can be carried out, and the engine image that will do it."""

    sized: Sized
    image: str


def assess(name: str, raw_spec: Mapping[str, Any], default_image: str | None) -> Accepted | SpecError:
    """Parse, look the facts up, size. `default_image` serves specs that name no engine image."""
    spec = parse(name, raw_spec)
    if isinstance(spec, SpecError):
        return spec
    image = spec.engine.image or default_image
    if image is None:
        return SpecError(
            INVALID,
            "spec.engine.image: needed, because the operator was installed without a default engine image",
        )
    sized = _size(spec)
    return sized if isinstance(sized, SpecError) else Accepted(sized=sized, image=image)


def _size(spec: Spec) -> Sized | SpecError:
    model = spec.model.facts
    if model is None:
        known = f"known: {', '.join(MODELS)}; describe any other in spec.model.shape"
        return SpecError(UNKNOWN_MODEL, f"spec.model.id: {spec.model.id!r} is not known; {known}")
    gpu = GPUS.get(spec.gpu.type)
    if gpu is None:
        return SpecError(UNKNOWN_GPU, f"spec.gpu.type: {spec.gpu.type!r} is not known; known: {', '.join(GPUS)}")
    demand = Demand(
        model=model,
        quantization=spec.model.quantization,
        packing=spec.model.packed,
        gpu=gpu,
        gpus=spec.gpu.count,
        context_tokens=spec.model.context_tokens,
        concurrency=spec.model.concurrency,
        dtype=spec.model.dtype,
        kv_cache_dtype=spec.model.kv_cache_dtype,
        allow_unproven=spec.gpu.allow_unproven,
    )
    answer = plan(demand)
    if isinstance(answer, DoesNotFit):
        return SpecError(DOES_NOT_FIT, answer.message)
    return Sized(spec=spec, demand=demand, plan=answer)
