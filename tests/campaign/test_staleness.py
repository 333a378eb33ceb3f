"""A run is stale when it has come upon nothing new for so long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.campaign.staleness import Staleness
from fuzz.clock import FakeClock
from fuzz.events import Covered, Event, Found, Progress, Recovered, Started
from fuzz.finding import Cause, Finding, Kind

STARTED = Started("a stand-in", "nothing", 10, 1)
FOUND = Found(Finding(Kind.HANG, "a hang", Cause("hang")), "path", new=True)
OTHER = Found(Finding(Kind.LEAK, "a leak", Cause("leak")), "path", new=False)
SHAPES = Progress(10, 1.0, 5, 0, 0, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("event", "news"),
    [
        (Covered({"a": (1,)}), True),
        (OTHER, True),  # new to this run
        (FOUND, False),
        (STARTED, False),  # a worker that was replaced
        (Recovered("node", 1.0), False),
        (replace(SHAPES, points_covered=6), True),
        (replace(SHAPES, cases=20), False),
        (replace(SHAPES, points_covered=9, points_total=10), False),  # told by Covered
    ],
)
def test_what_is_new_puts_off_the_end(event: Event, news: bool) -> None:
    clock = FakeClock(100.0)
    staleness = Staleness(30.0, clock)
    for before in (STARTED, FOUND, SHAPES):
        staleness.take(before)
    clock.advance(20.0)
    staleness.take(event)
    clock.advance(10.0)
    assert staleness.over() is not news
    clock.advance(20.0)
    assert staleness.over()


def test_a_target_that_takes_long_to_come_up_is_not_stale() -> None:
    clock = FakeClock()
    staleness = Staleness(30.0, clock)
    clock.advance(1_000.0)
    assert not staleness.over()
    staleness.take(STARTED)
    assert not staleness.over()


def test_without_a_limit_nothing_is_stale() -> None:
    clock = FakeClock()
    staleness = Staleness(None, clock)
    staleness.take(STARTED)
    clock.advance(1e9)
    assert not staleness.over()


def test_the_time_of_a_pause_does_not_count() -> None:
    clock = FakeClock()
    staleness = Staleness(30.0, clock)
    staleness.take(STARTED)
    clock.advance(20.0)
    for _ in range(2):  # told twice, as by a key that is held
        staleness.pause(True)
        clock.advance(500.0)
        assert not staleness.over()
    staleness.pause(False)
    clock.advance(9.0)
    assert not staleness.over()
    clock.advance(1.0)
    assert staleness.over()


def test_what_is_new_in_a_pause_is_counted_from_its_end() -> None:
    clock = FakeClock()
    staleness = Staleness(30.0, clock)
    staleness.pause(True)
    clock.advance(100.0)
    staleness.take(STARTED)
    clock.advance(100.0)
    staleness.pause(False)
    clock.advance(29.0)
    assert not staleness.over()
    clock.advance(1.0)
    assert staleness.over()
