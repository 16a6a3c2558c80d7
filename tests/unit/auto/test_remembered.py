"""The annotation: it comes back as it went, and anything else is nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meditron_operator.core.auto import Terms, market, recall, remember
from meditron_operator.core.catalog.gpus import GPUS, Gpu
from tests.unit.auto.nodes import mig_mixed, mig_single, unknown

DERIVED = [offer.gpu for offer in market([unknown(), mig_single(), mig_mixed()], Terms()).offers]


@pytest.mark.parametrize("gpu", [*GPUS.values(), *DERIVED], ids=lambda gpu: gpu.name)
def test_every_card_comes_back(gpu: Gpu) -> None:
    text = remember(gpu)
    assert recall(text) == gpu
    assert len(text) < 1000
    assert "\n" not in text


CHANGES: list[dict[str, Any]] = [
    {"cuda_total_bytes": 0},
    {"cuda_total_bytes": -1},
    {"cuda_total_bytes": "1"},
    {"cuda_total_bytes": 1.5},
    {"cuda_total_bytes": 10**30},
    {"memory_mib": True},
    {"products": []},
    {"products": ["a b"]},
    {"products": [""]},
    {"products": "NVIDIA-L4"},
    {"product_label": "kubernetes.io/hostname"},
    {"resource_name": "cpu"},
    {"resource_name": "nvidia.com/mig-"},
    {"compute_capability": [8]},
    {"sliced": "yes"},
    {"name": ""},
    {"name": "x" * 1000},
    {"more": 1},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_we_would_not_write_is_not_read(change: dict[str, Any]) -> None:
    assert recall(json.dumps(json.loads(remember(GPUS["L4"])) | change)) is None


@given(st.one_of(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_garbage_is_nothing(text: str) -> None:
    assert recall(text) is None
