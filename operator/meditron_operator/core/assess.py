"""From a raw spec to something that can be deployed, or to the reason why it can't."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meditron_operator.core.auto import EMPTY, Choice, Surroundings, Terms, Wanted, choose, current_card, market
from meditron_operator.core.catalog.gpus import GPUS, Gpu
from meditron_operator.core.catalog.models import MODELS, ModelShape
from meditron_operator.core.engines.base import Sized
from meditron_operator.core.sizing import Demand, DoesNotFit, plan
from meditron_operator.core.spec import AUTO_GPU, INVALID, Spec, SpecError, parse

UNKNOWN_MODEL: Final = "UnknownModel"
UNKNOWN_GPU: Final = "UnknownGPU"
DOES_NOT_FIT: Final = "DoesNotFit"
NO_GPU_NODES: Final = "NoGPUNodes"

__all__ = ["EMPTY", "Accepted", "Surroundings", "assess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A spec that can be carried out, and the engine image that will do it."""

    sized: Sized
    image: str
    choice: Choice | None = None
    """With `gpu.type: auto`: which card, and why not the others."""


def assess(
    name: str, raw_spec: Mapping[str, Any], default_image: str | None, surroundings: Surroundings = EMPTY
) -> Accepted | SpecError:
    """Parse, look the facts up, size. `default_image` serves specs that name no engine image; `surroundings`
    matter to `gpu.type: auto` only."""
    spec = parse(name, raw_spec)
    if isinstance(spec, SpecError):
        return spec
    image = spec.engine.image or default_image
    if image is None:
        return SpecError(
            INVALID,
            "spec.engine.image: needed, because the operator was installed without a default engine image",
        )
    model = spec.model.facts
    if model is None:
        known = f"known: {', '.join(MODELS)}; describe any other in spec.model.shape"
        return SpecError(UNKNOWN_MODEL, f"spec.model.id: {spec.model.id!r} is not known; {known}")
    on = _demands(spec, model)
    if spec.gpu.type == AUTO_GPU:
        return _choose(spec, image, on, surroundings)
    return _size(spec, image, on)


def _demands(spec: Spec, model: ModelShape) -> Callable[[Gpu], Demand]:
    """What the spec asks of sizing, card by card."""

    def on(gpu: Gpu) -> Demand:
        return Demand(
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

    return on


def _size(spec: Spec, image: str, on: Callable[[Gpu], Demand]) -> Accepted | SpecError:
    gpu = GPUS.get(spec.gpu.type)
    if gpu is None:
        known = f"{', '.join(GPUS)}, or {AUTO_GPU}"
        return SpecError(UNKNOWN_GPU, f"spec.gpu.type: {spec.gpu.type!r} is not known; known: {known}")
    demand = on(gpu)
    answer = plan(demand)
    if isinstance(answer, DoesNotFit):
        return SpecError(DOES_NOT_FIT, answer.message)
    return Accepted(sized=Sized(spec=spec, demand=demand, plan=answer), image=image)


def _choose(spec: Spec, image: str, on: Callable[[Gpu], Demand], surroundings: Surroundings) -> Accepted | SpecError:
    terms = Terms(node_selector=spec.gpu.node_selector, tolerations=spec.gpu.tolerations)
    offered = market(surroundings.nodes, terms)
    wanted = Wanted(on=on, terms=terms, replicas=spec.replicas, others=surroundings.others)
    choice = choose(wanted, offered, current_card(surroundings, offered))
    if isinstance(choice, Choice):
        sized = Sized(spec=spec, demand=on(choice.gpu), plan=choice.plan)
        return Accepted(sized=sized, image=image, choice=choice)
    if not choice:
        return SpecError(NO_GPU_NODES, "spec.gpu.type is auto, and no node of the cluster offers a GPU")
    why = "; ".join(f"{refused.gpu_type}: {refused.reason}" for refused in choice)
    return SpecError(DOES_NOT_FIT, f"no card of the cluster will do: {why}")
