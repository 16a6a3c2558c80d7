"""The chosen card as an annotation: a row that was made from labels can't be found again once the nodes are gone."""

import json
from dataclasses import asdict, fields
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from meditron_operator.core.catalog.gpus import AMD_PRODUCT_LABEL, MIG_RESOURCE_PREFIX, NVIDIA_PRODUCT_LABEL, Gpu
from meditron_operator.core.observed import GPU_RESOURCES
from meditron_operator.core.spec import LABEL_VALUE

MOST_MEMORY_MIB: Final = 10**8
_MOST_CHARACTERS: Final = 128


def _resource(name: str) -> str:
    profile = name.removeprefix(MIG_RESOURCE_PREFIX)
    if name not in GPU_RESOURCES and (profile in ("", name) or not LABEL_VALUE.fullmatch(profile)):
        raise ValueError("no GPU resource")
    return name


def _product_label(key: str) -> str:
    if key not in (NVIDIA_PRODUCT_LABEL, AMD_PRODUCT_LABEL):
        raise ValueError("no product label")
    return key


_Text = Annotated[str, Field(max_length=_MOST_CHARACTERS)]
_Product = Annotated[str, Field(pattern=LABEL_VALUE.pattern, min_length=1, max_length=63)]


@checked(config=ConfigDict(strict=True, extra="forbid"), kw_only=True)
class _Row:
    """A `Gpu`, field by field, with what would not come back from our own writing refused."""

    name: Annotated[_Text, Field(min_length=1)]
    memory_mib: Annotated[int, Field(gt=0, le=MOST_MEMORY_MIB)]
    cuda_total_bytes: Annotated[int, Field(gt=0, le=MOST_MEMORY_MIB * 2**20)]
    compute_capability: tuple[int, int] | None
    family: _Text
    products: Annotated[tuple[_Product, ...], Field(min_length=1, max_length=64)]
    product_label: Annotated[str, AfterValidator(_product_label)]
    resource_name: Annotated[str, AfterValidator(_resource)]
    sliced: bool
    unproven: bool
    source: Annotated[str, Field(max_length=1024)]


_ROW: Final = TypeAdapter(_Row)


def remember(gpu: Gpu) -> str:
    """One line of JSON; the same card gives the same line."""
    return json.dumps(asdict(gpu), sort_keys=True, separators=(",", ":"))


def recall(text: str) -> Gpu | None:
    """The card that `remember` wrote down; None for anything else."""
    try:
        row = _ROW.validate_json(text)
    except ValidationError:
        return None
    return Gpu(**{field.name: getattr(row, field.name) for field in fields(Gpu)})
