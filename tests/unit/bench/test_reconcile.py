"""What `make bench` makes of what it measured."""

from dataclasses import replace
from pathlib import Path

from tests.bench.reconcile import plots
from tests.bench.reconcile.contenders import ALL
from tests.bench.reconcile.figures import Burst, Figures, Restart
from tests.bench.reconcile.goals import scores
from tests.bench.reconcile.report import Setting, report

BURST = Burst(
    count=300,
    wall_seconds=10.0,
    median_seconds=4.0,
    cpu_ms_each=8.0,
    server_cpu_ms_each=40.0,
    requests_each=8.0,
    writes_each=8.0,
    events_each=0.0,
)
RESTART = Restart(writes=0, seconds=2.0, cpu_seconds=1.0, list_seconds=1.0)
FIGURES = Figures(
    bursts=(BURST,),
    idle_mib=70.0,
    full_mib=80.0,
    restart=RESTART,
    unrelated_writes=0,
    trip_ms=10.0,
    single_ms=20.0,
    repair_ms=None,
)


def test_each_figure_has_its_own_median() -> None:
    rounds = [
        replace(FIGURES, idle_mib=idle, bursts=(replace(BURST, wall_seconds=wall),), restart=replace(RESTART, writes=n))
        for idle, wall, n in ((1.0, 30.0, 0), (3.0, 10.0, 5), (2.0, 20.0, 300))
    ]
    found = Figures.median(rounds)
    assert (found.idle_mib, found.bursts[0].wall_seconds, found.restart.writes) == (2.0, 20.0, 5)
    assert found.repair_ms is None


def test_a_goal_is_missed_by_what_lies_above_it() -> None:
    equal = {each.name: FIGURES for each in ALL}
    slower = equal | {"ours": replace(FIGURES, bursts=(replace(BURST, wall_seconds=10.1),), unrelated_writes=1)}
    known = {score.goal.words for score in scores(equal, [300]) if score.missed}
    assert {score.goal.words for score in scores(slower, [300]) if score.missed} - known == {
        "300: time to the last child, of GO's",
        "writes after a foreign annotation",
    }


def test_the_page_has_every_goal_and_every_contender() -> None:
    found = {each.name: FIGURES for each in ALL}
    page = report(found, scores(found, [300]), Setting(sizes=[300], rounds=1, unrelated=50))
    assert [f"| P{number} |" in page for number in range(1, 8)] == [True] * 7
    assert all(page.count(f"\n| {each.name} |") == 2 for each in ALL)


def test_the_plot_shows_every_row_and_contender_and_is_the_same_for_the_same_figures(tmp_path: Path) -> None:
    rounds = {each.name: [FIGURES] for each in ALL}
    for name in ("one", "two"):
        plots.draw(rounds, [300], tmp_path / name)
    drawn = (tmp_path / "one").read_text()
    assert drawn == (tmp_path / "two").read_text()
    assert [f">P{number} " in drawn for number in range(1, 8)] == [True] * 7
    assert all(f">{each.name}<" in drawn for each in ALL)
