"""The explained sum: what is printed can be computed again by hand, and comes out the same."""

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given

from meditron_operator.core.sizing import Adapters, Demand, WeightFiles, checkpoint_bytes
from meditron_operator.core.sizing.explain import Term, terms
from meditron_operator.core.sizing.fit import STANDARD, TIGHT, measure
from tests.unit.sizing.asking import demand, packing
from tests.unit.sizing.test_laws import EXAMPLES, demands

OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def computed(numbers: str) -> Fraction:
    """What a person with a pocket calculator would get; in exact arithmetic."""
    return _value(ast.parse(numbers.replace(",", "").replace("×", "*"), mode="eval").body)


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=number):
            return Fraction(str(number))
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id="ceil"), args=[inner]):
            return Fraction(math.ceil(_value(inner)))
        case ast.Call(func=ast.Name(id="floor"), args=[inner]):
            return Fraction(math.floor(_value(inner)))
    raise AssertionError(ast.dump(node))


def explained(asked: Demand, gpus: int = 1) -> dict[str, Term]:
    return {term.name: term for term in terms(asked, measure(asked, gpus, STANDARD))}


@EXAMPLES
@given(demands())
def test_the_numbers_give_the_value(asked: Demand) -> None:
    shards = asked.gpus if asked.gpus not in {None, 3} else 2
    assert shards is not None
    for settings in (STANDARD, TIGHT):
        for term in terms(asked, measure(asked, shards, settings)):
            assert computed(term.numbers) == term.value, term
            assert term.formula
            assert term.source
            assert term.unit in {"bytes", "tokens"}


def test_row_g_by_hand() -> None:
    asked = demand("meditron-70b gptq 1 A100-40GB")
    lines = {term.name: term for term in terms(asked, measure(asked, 1, TIGHT))}
    assert list(lines) == [
        "budget", "packed weights", "scales", "embedding", "output head", "norms", "weights", "activations",
        "runtime", "KV cache", "one token", "capacity", "safe", "wanted",
    ]  # fmt: skip
    assert lines["budget"].numbers == "floor(0.95 × 1 × 42,305,427,865)"
    assert lines["packed weights"].value == 68_451_041_280 // 2
    assert lines["capacity"].value == 8_050
    assert lines["safe"].value == 6_440
    assert "Marlin" in lines["scales"].source


@pytest.mark.parametrize(
    ("words", "changes", "term", "says"),
    [
        ("meditron-7b none 1 L4", {}, "linears", "ceil((2 × 6,476,005,376) / 1)"),
        ("meditron-7b fp8 1 L4", {}, "linears", "ceil((1 × 4,057,989,120 + 2 × 2,418,016,256) / 1)"),
        ("meditron-7b gptq 1 T4", {}, "zeros", "ceil(4 / 8 × 32 × ("),
        ("meditron-70b gptq 1 L40S", {"packing": packing(act_order=True)}, "group order", "ceil(8 × 80 × ("),
        ("meditron-7b none 1 L40S", {"adapters": Adapters(count=3, rank=16)}, "LoRA adapters", "ceil(3 × 2 × 32 ×"),
    ],
)  # fmt: skip
def test_terms_appear_with_what_needs_them(words: str, changes: dict[str, Any], term: str, says: str) -> None:
    asked = demand(words, 2_048, **changes)
    assert explained(asked)[term].numbers.startswith(says)
    assert term not in explained(demand("meditron-70b awq 1 L40S", 2_048)) or term == "zeros"


def test_files_appear_only_where_they_are_known() -> None:
    asked = demand("meditron-7b none 1 L4", 2_048)
    size = checkpoint_bytes(asked) + 1_000
    known = replace(asked, files=WeightFiles(total_bytes=size, largest_bytes=size))
    assert explained(known)["in the files, not in the formula"].value == 1_000
    assert "in the files, not in the formula" not in explained(asked)


def test_a_vocabulary_that_does_not_divide_is_named() -> None:
    asked = demand("meditron-70b none 4 A100-80GB")
    odd = replace(asked, model=replace(asked.model, vocab_size=32_017))
    assert "does not divide" in explained(odd, 4)["output head"].formula
    assert "does not divide" not in explained(asked, 4)["output head"].formula
