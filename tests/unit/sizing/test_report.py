"""The answer for programs, and the matrix."""

from dataclasses import replace

from meditron_operator.core.catalog.gpus import GPUS
from meditron_operator.core.sizing import Demand, Profile, plan
from meditron_operator.core.sizing.matrix import Outcome, Row, matrix
from meditron_operator.core.sizing.report import MAX_OTHER_CARDS, alternatives, report
from tests.unit.sizing.asking import demand, fitting, refused


def test_a_refusal_shows_the_sum_of_the_nearest_count() -> None:
    asked = demand("meditron-70b none any L4", concurrency=200)
    answer = report(asked, refused(asked))
    assert (answer["gpusPerReplica"], answer["profile"]) == (8, "tight")
    assert (answer["kvCapacityTokens"], answer["safeTokens"], answer["sequencesAtFullContext"]) == (99_490, 79_592, 19)
    first = answer["alternatives"][0]
    assert (first["gpuType"], first["change"]) == ("L4", "lower the concurrency to 19 in the tight profile")
    assert (first["gpusPerReplica"], first["safeTokens"]) == (8, 79_592)


def test_other_cards_begin_with_the_least_memory_and_end_with_tight_ones() -> None:
    asked = demand("meditron-70b gptq 1 A100-80GB", concurrency=2)
    found = alternatives(asked, fitting(asked))
    sizes = [card.gpus * GPUS[card.gpu_type].memory_mib for card in found]
    assert len(found) == MAX_OTHER_CARDS
    assert sizes == sorted(sizes)
    assert all(card.profile is Profile.STANDARD for card in found)
    scarce = demand("meditron-7b none 1 A100-80GB", 2_048, 2_000)
    assert [card.profile for card in alternatives(scarce, plan(scarce))] == sorted(
        (card.profile for card in alternatives(scarce, plan(scarce))), key=lambda profile: profile is Profile.TIGHT
    )


def rows_of(asked: Demand, gpus: int | None = None) -> tuple[Row, ...]:
    return matrix(lambda gpu, count: replace(asked, gpu=gpu, gpus=count), gpus)


def test_the_matrix_has_all_counts_that_are_legal_anywhere() -> None:
    for model, quantization, counts in (
        ("meditron-70b", "none", (1, 2, 4, 8)),
        ("meditron-7b", "gptq", (1, 2)),
        ("pmc-llama-13b", "none", (1, 2, 4, 8)),
    ):
        rows = rows_of(demand(f"{model} {quantization} any L4", 2_048))
        assert [row.gpu for row in rows] == list(GPUS.values())
        assert {tuple(cell.gpus for cell in row.cells) for row in rows} == {counts}


def test_a_model_that_can_be_nowhere_still_gets_a_row_a_card() -> None:
    asked = demand("meditron-7b gptq any L4", 2_048)
    odd = replace(asked, model=replace(asked.model, intermediate_size=11_000))
    rows = rows_of(odd)
    assert {tuple(cell.gpus for cell in row.cells) for row in rows} == {(1,)}
    assert [row.gpu.name for row in rows if row.fits] == ["T4", "MI300X"], "only Marlin needs whole tiles"
    assert "no multiple of the group" in rows[0].why_not


def test_cells_say_what_they_are() -> None:
    asked = demand("meditron-70b none any L4", concurrency=100)
    rows = {row.gpu.name: row for row in rows_of(asked)}
    outcomes = {name: [cell.outcome for cell in row.cells] for name, row in rows.items()}
    assert outcomes["L4"] == [*[Outcome.DOES_NOT_FIT] * 3, Outcome.TOO_FEW]
    assert outcomes["V100-32GB"] == [Outcome.ILLEGAL] * 4
    assert outcomes["MI300X"] == [Outcome.TOO_FEW, *[Outcome.FITS] * 3]
    assert [cell.sequences for cell in rows["MI300X"].cells] == [26, 136, 355, 794]
    assert [cell.tight for cell in rows["A100-40GB"].cells] == [False, False, False, True]
    assert rows["MI300X"].why_not == ""
    assert rows["L4"].why_not.startswith("meditron-70b 16-bit does not fit on 8 x L4: 79,592 safe tokens")


def test_one_count_alone() -> None:
    asked = demand("meditron-70b none any L4")
    rows = rows_of(asked, 3)
    assert {tuple(cell.gpus for cell in row.cells) for row in rows} == {(3,)}
    assert not any(row.fits for row in rows)
