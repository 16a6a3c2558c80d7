"""The guard stops first; the operator follows, and forgets what is over."""

import pytest

from meditron_operator.shell.giveway import GIVE_WAY_SECONDS, GiveWay

KEY = ("ward", "chat")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_stop_waits_once_and_nothing_else_does() -> None:
    clock = Clock()
    way = GiveWay(clock)
    assert way.left(KEY, stopped=False) == 0
    assert way.left(KEY, stopped=True) == pytest.approx(GIVE_WAY_SECONDS)
    assert way.left(("ward", "other"), stopped=False) == 0
    clock.now += GIVE_WAY_SECONDS / 4
    assert 0 < way.left(KEY, stopped=True) < GIVE_WAY_SECONDS
    clock.now += GIVE_WAY_SECONDS
    assert way.left(KEY, stopped=True) == 0


def test_the_next_stop_waits_anew() -> None:
    clock = Clock()
    way = GiveWay(clock)
    way.left(KEY, stopped=True)
    clock.now += 2 * GIVE_WAY_SECONDS
    assert way.left(KEY, stopped=False) == 0
    assert way.left(KEY, stopped=True) == pytest.approx(GIVE_WAY_SECONDS)
