"""Over how many GPUs a model can be spread."""

from dataclasses import replace

import pytest

from meditron_operator.core.catalog.quantization import Quantization
from meditron_operator.core.sizing import RefusalReason, legal_shard_counts
from tests.unit.sizing.asking import demand, refused, stored


@pytest.mark.parametrize(
    ("model", "plain", "grouped"),
    [
        ("meditron-7b", (1, 2, 4, 8, 16, 32), (1, 2)),
        ("llama-2-7b", (1, 2, 4, 8, 16, 32), (1, 2)),
        ("meditron-70b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("llama-2-70b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("meditron3-8b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("meditron3-70b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("biomistral-7b", (1, 2, 4, 8), (1, 2, 4, 8)),
        ("pmc-llama-13b", (1, 2, 4, 8), (1, 2, 4)),
    ],
)
def test_legal_shard_counts(model: str, plain: tuple[int, ...], grouped: tuple[int, ...]) -> None:
    for quantization in Quantization:
        expected = grouped if quantization in {Quantization.GPTQ, Quantization.AWQ} else plain
        assert legal_shard_counts(stored(model, quantization)) == expected


@pytest.mark.parametrize("count", [-1, 0])
def test_no_gpu_is_no_count(count: int) -> None:
    asked = replace(demand("meditron-7b none 1 L4", 2_048), gpus=count)
    assert refused(asked).refusals[0].reason is RefusalReason.ILLEGAL_SHARD_COUNT
