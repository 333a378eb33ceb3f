"""A pause is over in time, and twice as long each time."""

from __future__ import annotations

from fuzz.clock import FakeClock
from fuzz.watchdog.pauses import Pauses


def test_each_pause_is_twice_as_long_as_the_one_before() -> None:
    clock = FakeClock()
    pauses = Pauses(clock)
    assert not pauses.holds("atoms")
    for seconds in (10.0, 20.0, 40.0):
        pauses.begin("atoms")
        clock.advance(seconds - 0.5)
        assert pauses.holds("atoms")
        assert not pauses.holds("ports")
        clock.advance(0.5)
        assert not pauses.holds("atoms")
