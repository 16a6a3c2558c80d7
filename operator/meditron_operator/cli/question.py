"""What `meditron plan` is asked, from options or from a manifest: a demand that may leave the card open."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

from meditron_operator.cli.errors import BadInput, unknown
from meditron_operator.core.catalog.gpus import GPUS, Gpu
from meditron_operator.core.catalog.models import MODELS, ModelShape, find_model
from meditron_operator.core.catalog.quantization import Packing, Quantization
from meditron_operator.core.sizing import Adapters, Demand, Dtype, KvCacheDtype, WeightFiles

if TYPE_CHECKING:
    from meditron_operator.core.spec import Toleration

DEFAULT_CONTEXT_TOKENS: Final = 4_096
AUTO: Final = "auto"
_QUANTIZED_NAMES: Final = {"-gptq": Quantization.GPTQ, "-awq": Quantization.AWQ}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command, as given."""

    model: str | None = None
    config: str | None = None
    online: bool = False
    hub_endpoint: str | None = None
    quantization: Quantization | None = None
    gpu: str | None = None
    gpus: int | None = None
    context: int | None = None
    concurrency: int | None = None
    dtype: Dtype | None = None
    kv_cache_dtype: KvCacheDtype | None = None
    lora_adapters: int = 0
    lora_rank: int = 16
    allow_unproven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model and how its weights are stored."""

    model: ModelShape
    quantization: Quantization | None = None
    """What the files hold; None: 16 bit, or not known."""
    packing: Packing | None = None
    files: WeightFiles | None = None
    described: bool = False
    """True: read from a config.json, so that a manifest has to say it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A demand without its card."""

    checkpoint: Checkpoint
    quantization: Quantization
    gpu: Gpu | None
    gpus: int | None
    context_tokens: int
    concurrency: int
    dtype: Dtype | None
    kv_cache_dtype: KvCacheDtype
    adapters: Adapters | None
    allow_unproven: bool
    auto: bool = False
    """True: the card is to be chosen among the nodes of a cluster."""
    replicas: int = 1
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: "tuple[Toleration, ...]" = ()

    def on(self, gpu: Gpu, gpus: int | None = None) -> Demand:
        """The demand on one card; `gpus` beats what was asked."""
        as_stored = self.quantization is (self.checkpoint.quantization or Quantization.NONE)
        loaded = as_stored or (self.checkpoint.quantization is None and self._on_the_fly)
        return Demand(
            model=self.checkpoint.model,
            quantization=self.quantization,
            packing=self.checkpoint.packing if as_stored else None,
            files=self.checkpoint.files if loaded else None,
            adapters=self.adapters,
            gpu=gpu,
            gpus=self.gpus if gpus is None else gpus,
            context_tokens=self.context_tokens,
            concurrency=self.concurrency,
            dtype=self.dtype,
            kv_cache_dtype=self.kv_cache_dtype,
            allow_unproven=self.allow_unproven,
        )

    @property
    def _on_the_fly(self) -> bool:
        """Whether TGI would read the 16-bit files and quantize them itself."""
        return self.quantization not in (Quantization.GPTQ, Quantization.AWQ)


def question(options: Options, filename: str | None) -> Question:
    """What the options ask, or the manifest in a file. Raises BadInput."""
    return _from_options(options) if filename is None else _from_manifest(options, filename)


def _from_options(options: Options) -> Question:
    checkpoint = _checkpoint(options)
    model = checkpoint.model
    return Question(
        checkpoint=checkpoint,
        quantization=_quantization(options, checkpoint),
        gpu=None if options.gpu in (None, AUTO) else find_gpu("--gpu", options.gpu),
        auto=options.gpu == AUTO,
        gpus=options.gpus,
        context_tokens=options.context or min(DEFAULT_CONTEXT_TOKENS, model.max_position_embeddings),
        concurrency=options.concurrency or 1,
        dtype=options.dtype,
        kv_cache_dtype=options.kv_cache_dtype or KvCacheDtype.AUTO,
        adapters=_adapters(options),
        allow_unproven=options.allow_unproven,
    )


def _from_manifest(options: Options, filename: str) -> Question:
    from meditron_operator.cli.manifests import read_deployment  # noqa: PLC0415 - costs pydantic
    from meditron_operator.core.spec import SpecError, parse  # noqa: PLC0415

    _require_alone(options)
    deployment = read_deployment(filename)
    spec = parse(deployment["metadata"]["name"], deployment["spec"])
    if isinstance(spec, SpecError):
        raise BadInput(f"{filename}: {spec.message}")
    model, quantization = spec.model.facts, spec.model.quantization
    if model is None:
        hint = unknown(f"{filename}: spec.model.id", spec.model.id, MODELS)
        raise BadInput(f"{hint}. Describe any other in spec.model.shape")
    return Question(
        checkpoint=Checkpoint(model=model, quantization=quantization, packing=spec.model.packed),
        quantization=quantization,
        gpu=None if spec.gpu.type == AUTO else find_gpu(f"{filename}: spec.gpu.type", spec.gpu.type),
        gpus=spec.gpu.count,
        context_tokens=spec.model.context_tokens,
        concurrency=spec.model.concurrency,
        dtype=spec.model.dtype,
        kv_cache_dtype=spec.model.kv_cache_dtype,
        adapters=None,
        allow_unproven=spec.gpu.allow_unproven,
        auto=spec.gpu.type == AUTO,
        replicas=spec.replicas,
        node_selector=spec.gpu.node_selector,
        tolerations=spec.gpu.tolerations,
    )


def _require_alone(options: Options) -> None:
    """A manifest says all of it: an option beside it would plan something else than what gets deployed."""
    defaults = Options(hub_endpoint=options.hub_endpoint)
    beside = [field.name for field in fields(options) if getattr(options, field.name) != getattr(defaults, field.name)]
    if beside:
        raise BadInput(f"--{beside[0].replace('_', '-')}: not together with -f: the manifest says it; change it there")


def find_gpu(where: str, name: str) -> Gpu:
    """The card of this catalog name; case does not matter. Raises BadInput."""
    found = next((gpu for gpu in GPUS.values() if gpu.name.lower() == name.lower()), None)
    if found is None:
        raise unknown(where, name, [*GPUS, AUTO])
    return found


def _adapters(options: Options) -> Adapters | None:
    return Adapters(count=options.lora_adapters, rank=options.lora_rank) if options.lora_adapters else None


def _checkpoint(options: Options) -> Checkpoint:
    if options.config is None and options.model is None:
        raise BadInput(
            "--model: which one? A name of the catalog, or --config with a config.json, or -f with a manifest"
        )
    name, _, revision = (options.model or "").partition("@")
    if options.config is None and not options.online and not revision:
        model = find_model(name)
        if model is None:
            raise _unknown_model(name)
        return Checkpoint(model=model, quantization=_by_name(name))
    return _read(options, name, revision)


def _read(options: Options, name: str, revision: str) -> Checkpoint:
    from meditron_operator.cli import checkpoints  # noqa: PLC0415 - costs pydantic

    if options.config is not None:
        facts, files = checkpoints.read_checkpoint(options.config)
    elif options.online:
        facts, files = checkpoints.ask_hub(name, revision or None, options.hub_endpoint)
    else:
        facts, files = checkpoints.recall(name, revision)
    shape = replace(facts.shape, name=name or facts.shape.name)
    return Checkpoint(model=shape, quantization=facts.quantization, packing=facts.packing, files=files, described=True)


def _unknown_model(name: str) -> BadInput:
    hint = unknown("--model", name, MODELS)
    return BadInput(f"{hint}. Any other: give its config.json with --config, or ask the Hub with --online")


def _by_name(name: str) -> Quantization | None:
    """Repositories of quantized checkpoints say so at the end of their name."""
    return next((found for suffix, found in _QUANTIZED_NAMES.items() if name.lower().endswith(suffix)), None)


def _quantization(options: Options, checkpoint: Checkpoint) -> Quantization:
    stored, asked = checkpoint.quantization, options.quantization
    if stored is None or asked in (None, stored):
        return asked or stored or Quantization.NONE
    raise BadInput(f"--quantization: the checkpoint holds {stored} weights, so it can't run as {asked}: leave it out")
