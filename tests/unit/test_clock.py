"""Deadlines expire on the clock that they were given, and name what they waited for."""

from __future__ import annotations

import pytest

from fuzz.clock import Deadline, FakeClock, SystemClock, span


def test_a_deadline_counts_down_and_stops_at_zero() -> None:
    clock = FakeClock(100.0)
    deadline = Deadline.after(clock, 2.5, "the hello of the agent")
    assert deadline.what == "the hello of the agent"
    assert (deadline.left(), deadline.expired()) == (2.5, False)
    clock.advance(2.0)
    assert (deadline.left(), deadline.expired()) == (0.5, False)
    clock.advance(0.5)
    assert (deadline.left(), deadline.expired()) == (0.0, True)
    clock.advance(10.0)
    assert (deadline.left(), deadline.expired()) == (0.0, True)


def test_no_time_at_all_is_expired_at_once() -> None:
    assert Deadline.after(FakeClock(), 0.0, "nothing").expired()


def test_the_clock_of_the_machine_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.now() for _ in range(1000)]
    assert readings == sorted(readings)
    assert not Deadline.after(clock, 60.0, "a minute").expired()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.25, "0.25 s"),
        (0.0, "0 s"),
        (59.6, "1 m"),
        (90.0, "1 m 30 s"),
        (3_605.0, "1 h"),
        (93_784.0, "1 d 2 h"),
    ],
)
def test_a_span_of_time_is_said_by_its_two_largest_units(seconds: float, said: str) -> None:
    assert span(seconds) == said
