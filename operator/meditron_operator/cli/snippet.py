"""What a manifest has to say of a model whose facts were read from its config.json."""

from dataclasses import fields
from typing import Any

from meditron_operator.cli.question import Question
from meditron_operator.core.spec import ModelPacking, Shape


def model_section(question: Question) -> dict[str, Any]:
    """`spec.model` of a manifest, without where the weights are."""
    shape, packing = question.checkpoint.model, question.checkpoint.packing
    known = {field.name: getattr(shape, field.name) for field in fields(shape) if field.name in Shape.model_fields}
    section: dict[str, Any] = {
        "quantization": str(question.quantization),
        "contextTokens": question.context_tokens,
        "concurrency": question.concurrency,
        "shape": Shape(**known).model_dump(by_alias=True, exclude_defaults=True),
    }
    if packing is not None:
        described = ModelPacking(
            bits=packing.bits,
            group_size=-1 if packing.group_size is None else packing.group_size,
            act_order=packing.act_order,
            symmetric=packing.symmetric,
        )
        section["packing"] = described.model_dump(by_alias=True)
    return {"spec": {"model": section}}
