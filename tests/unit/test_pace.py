"""The ceiling on cases in a second."""

from __future__ import annotations

from fuzz.clock import FakeClock
from fuzz.pace import Pace


def begun(rate: float | None, clock: FakeClock, batches: list[int]) -> list[float]:
    """Return when each batch began; nothing takes time but waiting."""
    pace = Pace(rate, clock, clock.advance)
    times = []
    for cases in batches:
        pace.begin(cases)
        times.append(clock.now())
    return times


def test_without_a_ceiling_nobody_waits() -> None:
    assert begun(None, FakeClock(), [16, 16, 1]) == [0.0, 0.0, 0.0]


def test_a_batch_waits_for_the_time_of_those_before_it() -> None:
    assert begun(8.0, FakeClock(), [16, 16, 4, 1]) == [0.0, 2.0, 4.0, 4.5]


def test_a_pause_is_not_followed_by_a_burst() -> None:
    clock = FakeClock()
    pace = Pace(10.0, clock, clock.advance)
    pace.begin(10)
    clock.advance(60.0)
    for began in (60.0, 61.0):
        pace.begin(10)
        assert clock.now() == began
