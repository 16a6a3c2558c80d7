"""`make attacks`: run the matrix and write its page."""

import tempfile
from collections import Counter
from pathlib import Path

from tests.cluster.attacks.matrix import report, run, timed
from tests.testbed import Testbed

PAGE = Path("docs/kill-switch-attacks.md")

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory, Testbed.start(Path(directory) / "bed", nodes="L4:1:1") as bed:
        results, seconds = timed(lambda: run(bed))
    PAGE.write_text(report(results), encoding="utf-8")
    counted = dict(Counter(str(result.outcome) for result in results))
    print(f"{len(results):,} attempts in {seconds:.0f} s: {counted}")
