"""A sample for each acceptance row, which the operator sizes as the row says."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from meditron_operator.core.assess import Accepted, assess
from meditron_operator.core.spec import SpecError
from tests.unit.sizing.asking import demand
from tests.unit.sizing.rows import ROWS

SAMPLES: Final = Path(__file__).parents[3] / "manifests" / "samples"
HARDWARE: Final = SAMPLES / "hardware"

OF_ROW: Final = {
    "a": SAMPLES / "meditron-70b-bf16-4xa100-40gb.yaml",
    "b": HARDWARE / "meditron-70b-bf16-2xh100-80gb.yaml",
    "d": HARDWARE / "meditron-70b-bitsandbytes-2xa100-40gb.yaml",
    "e": HARDWARE / "meditron-70b-eetq-1xa100-80gb.yaml",
    "g": HARDWARE / "meditron-70b-gptq-1xa100-40gb.yaml",
    "h": SAMPLES / "meditron-70b-gptq-2xrtx-4090.yaml",
    "i": HARDWARE / "meditron-70b-gptq-1xl40s.yaml",
    "l": SAMPLES / "meditron-7b-1xl4.yaml",
}
REFUSED: Final = {
    "j": ("refused-meditron-70b-bf16-3xa100-80gb", "3 does not divide 64 attention heads"),
    "k": ("refused-meditron-7b-gptq-4xl4", "11,008 / 4 = 2,752 is no multiple"),
    "m": ("refused-meditron-70b-bf16-4xv100-32gb", "capability 7.0 of V100-32GB has no sharded"),
}


def assessed(path: Path) -> Accepted | SpecError:
    body: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return assess(body["metadata"]["name"], body["spec"], None)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_sample_is_sized_as_its_row(row: tuple[str, str, int, str, str, int, int, int]) -> None:
    letter, words, context, profile, _, tokens, safe, sequences = row
    answer = assessed(OF_ROW[letter])
    assert isinstance(answer, Accepted)
    asked, plan = answer.sized.demand, answer.sized.plan
    wanted = demand(words, context)
    assert (asked.model, asked.quantization, asked.gpu) == (wanted.model, wanted.quantization, wanted.gpu)
    assert (asked.context_tokens, plan.gpus_per_replica, plan.profile) == (context, wanted.gpus, profile)
    assert plan.kv_capacity_tokens == pytest.approx(tokens, rel=0.02)
    assert plan.safe_tokens == pytest.approx(safe, rel=0.02)
    assert asked.concurrency <= plan.sequences_at_full_context == sequences


def test_rows_c_and_f_fit_in_the_tight_profile_only() -> None:
    for name in ("meditron-70b-bf16-1xh200-141gb", "meditron-70b-gptq-1xa100-40gb"):
        answer = assessed(HARDWARE / f"{name}.yaml")
        assert isinstance(answer, Accepted)
        assert (answer.sized.plan.profile, answer.sized.plan.gpus_per_replica) == ("tight", 1)


@pytest.mark.parametrize(("name", "says"), REFUSED.values(), ids=REFUSED)
def test_a_refused_sample_says_why(name: str, says: str) -> None:
    answer = assessed(HARDWARE / f"{name}.yaml")
    assert isinstance(answer, SpecError)
    assert answer.reason == "DoesNotFit"
    assert says in answer.message


def test_no_sample_is_left_out() -> None:
    tight = "meditron-70b-bf16-1xh200-141gb"
    named = {path.stem for path in OF_ROW.values()} | {name for name, _ in REFUSED.values()} | {tight}
    assert {path.stem for path in HARDWARE.iterdir()} <= named
