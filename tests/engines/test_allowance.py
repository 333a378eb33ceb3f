"""Work gets its share of the time, and what it has saved up has a bound."""

from __future__ import annotations

import pytest

from fuzz.clock import FakeClock
from fuzz.engines.allowance import Allowance


def done(allowance: Allowance, clock: FakeClock, seconds: float) -> float:
    """Work as long as there is time, in pieces of so many seconds; return how long that took."""
    start = clock.now()
    while allowance.left():
        allowance.spend(lambda: clock.advance(seconds))
    return clock.now() - start


def test_work_takes_its_share_and_no_more() -> None:
    clock = FakeClock()
    allowance = Allowance(clock, 0.1)
    worked = 0.0
    for _ in range(1000):
        worked += done(allowance, clock, 0.01)
        clock.advance(0.09)
    assert worked == pytest.approx(0.1 * clock.now(), rel=0.02)


def test_what_fails_has_taken_its_time_as_well() -> None:
    clock = FakeClock()
    allowance = Allowance(clock, 0.1)

    def fail() -> None:
        clock.advance(1.0)
        raise ValueError("in vain")

    with pytest.raises(ValueError, match="in vain"):
        allowance.spend(fail)
    assert not allowance.left()
    clock.advance(9.1)
    assert allowance.left()


def test_an_hour_of_calm_is_not_followed_by_minutes_of_nothing_else() -> None:
    clock = FakeClock()
    allowance = Allowance(clock, 0.1)
    clock.advance(3600.0)
    assert 5.0 <= done(allowance, clock, 0.01) < 6.0
