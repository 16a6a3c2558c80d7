"""The sum as `meditron plan --explain` prints it, word for word: `explained/<case>.txt`."""

from dataclasses import replace
from pathlib import Path

import pytest

from meditron_operator.core.sizing import Adapters, Demand, WeightFiles
from meditron_operator.core.sizing.explain import terms
from meditron_operator.core.sizing.fit import STANDARD, TIGHT, Settings, measure
from tests.unit.sizing.asking import demand, packing

HERE = Path(__file__).parent / "explained"


def resized(words: str) -> Demand:
    asked = demand(words)
    return replace(asked, model=replace(asked.model, vocab_size=32_017, bias_params=1_000))


CASES: dict[str, tuple[Demand, int, Settings]] = {
    "70b-bf16": (demand("meditron-70b none 4 A100-40GB"), 4, STANDARD),
    "70b-gptq-tight": (demand("meditron-70b gptq 1 A100-40GB"), 1, TIGHT),
    "70b-gptq-act-order": (demand("meditron-70b gptq 2 L40S", packing=packing(act_order=True)), 2, STANDARD),
    "70b-gptq-asymmetric": (demand("meditron-70b gptq 2 L40S", packing=packing(symmetric=False)), 2, STANDARD),
    "70b-awq-resized": (resized("meditron-70b awq 2 L40S"), 2, STANDARD),
    "70b-adapters-and-files": (
        replace(
            demand("meditron-70b none 4 A100-80GB", 4_096, 3, adapters=Adapters(count=2, rank=8)),
            files=WeightFiles(total_bytes=140_000_000_001, largest_bytes=10_000_000_000),
        ),
        4,
        STANDARD,
    ),
    "7b-nf4-t4": (demand("meditron-7b bitsandbytes-nf4 1 T4", 2_048), 1, STANDARD),
    "7b-fp8": (demand("meditron-7b fp8 1 L4", 2_048), 1, STANDARD),
}


@pytest.mark.parametrize("case", CASES)
def test_every_word_of_the_sum(case: str, *, update_golden: bool) -> None:
    asked, gpus, settings = CASES[case]
    lines = (
        f"{term.name}\n  {term.formula}\n  {term.numbers}\n  = {term.value:,} {term.unit}\n  {term.source}\n"
        for term in terms(asked, measure(asked, gpus, settings))
    )
    text = "".join(lines)
    expected = HERE / f"{case}.txt"
    if update_golden:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_no_case_is_left_over() -> None:
    assert sorted(path.stem for path in HERE.glob("*.txt")) == sorted(CASES)
