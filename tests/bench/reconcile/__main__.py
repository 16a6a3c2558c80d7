"""`make bench`: measure, print and file the figures; exit code 1 when a goal is missed."""

import argparse
import sys
import time

from rich.console import Console

from tests.bench.reconcile import goals, plots, report
from tests.bench.reconcile.contenders import ALL
from tests.bench.reconcile.figures import Figures
from tests.bench.reconcile.scenes import UNRELATED, measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reconcile", description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[300, 1000], help="deployments that are created at once"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians are told")
    given = parser.parse_args()
    began, console = time.monotonic(), Console(stderr=True)

    def tell(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.0f} s  {text}", highlight=False)

    rounds: dict[str, list[Figures]] = {each.name: [] for each in ALL}
    for _ in range(given.rounds):
        for contender in ALL:
            rounds[contender.name].append(measure(contender, given.sizes, tell))
    found = {name: Figures.median(each) for name, each in rounds.items()}
    scores = goals.scores(found, given.sizes)
    setting = report.Setting(sizes=given.sizes, rounds=given.rounds, unrelated=UNRELATED)
    text = report.report(found, scores, setting)
    plots.draw(rounds, given.sizes, report.PLOT)
    report.FILE.write_text(text)
    print(text)
    for score in filter(lambda each: each.missed, scores):
        goal = score.goal
        console.print(f"missed: {goal.row} {goal.words}: {score.value:.2f} (at most {goal.most:g})", style="red")
    return 1 if any(each.missed for each in scores) else 0


if __name__ == "__main__":
    sys.exit(main())
