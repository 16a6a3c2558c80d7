"""From when on a replica counts as failed."""

import pytest

from meditron_operator.core.rollout.failing import failing, patience_left
from tests.unit.kit import MOMENT
from tests.unit.rollout.scenes import LONG_AGO, replica

STARTUP = 600


@pytest.mark.parametrize(
    ("words", "age", "why", "blamed"),
    [
        ("new crashes", 5, "Error with exit code 1 after 2 restarts: no CUDA", True),
        ("new imageless", 31, "ImagePullBackOff after 0 restarts: denied", True),
        ("new unplaced", 61, "no node takes it: 0/3 nodes: Insufficient GPU", False),
        ("new loads", 1201, "does not serve 1200 s after it was made", True),
        ("new crashed", 1201, "Error with exit code 1 after 1 restarts", True),
    ],
)
def test_failed(words: str, age: float, why: str, blamed: bool) -> None:
    found = failing(replica(2, words, age_seconds=age), STARTUP, MOMENT)
    assert found is not None
    assert str(found).startswith(f"ward-2: {why}")
    assert found.blames_template is blamed
    assert patience_left(replica(2, words, age_seconds=age), STARTUP, MOMENT) is None


@pytest.mark.parametrize(
    ("words", "age", "left"),
    [
        ("new imageless", 29, 1),
        ("new unplaced", 59, 1),
        ("new loads", 1000, 200),
        ("new crashed", 1000, 200),  # the second try loads
    ],
)
def test_may_still_come(words: str, age: float, left: float) -> None:
    pod = replica(2, words, age_seconds=age)
    assert failing(pod, STARTUP, MOMENT) is None
    assert patience_left(pod, STARTUP, MOMENT) == left


def test_nothing_waits_for_ever() -> None:
    for words in ("new loads", "new crashed", "new imageless", "new unplaced"):
        assert failing(replica(0, words, age_seconds=LONG_AGO), STARTUP, MOMENT)
